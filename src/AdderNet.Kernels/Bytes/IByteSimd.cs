namespace AdderNet.Kernels.Bytes;

/// <summary>
/// The few operations on vectors of bytes, and on the same bits as 16-bit or 32-bit lanes, that the kernels are written in: one source for
/// every width. Nothing crosses 32-bit lanes, so all widths see the same layout.
/// </summary>
internal unsafe interface IByteSimd<TVec>
    where TVec : struct
{
    /// <summary>Bytes in a vector.</summary>
    static abstract int Lanes { get; }

    static abstract TVec Load(byte* at);

    static abstract void Store(byte* at, TVec value);

    /// <summary>A 32-bit value in every 32-bit lane.</summary>
    static abstract TVec Broadcast(int value);

    static abstract TVec Min8(TVec a, TVec b);

    static abstract TVec Add8(TVec a, TVec b);

    static abstract TVec Add16(TVec a, TVec b);

    static abstract TVec Sub16(TVec a, TVec b);

    /// <summary>The upper byte of every 16-bit lane, as a 16-bit value.</summary>
    static abstract TVec Upper8(TVec a);

    /// <summary>The lower byte of every 16-bit lane, in the place of the upper one.</summary>
    static abstract TVec RaiseLower8(TVec a);

    static abstract TVec And(TVec a, TVec b);

    static abstract TVec Or(TVec a, TVec b);

    static abstract TVec Add32(TVec a, TVec b);

    static abstract TVec Sub32(TVec a, TVec b);

    static abstract TVec Mul32(TVec a, TVec b);

    static abstract TVec Min32(TVec a, TVec b);

    static abstract TVec Max32(TVec a, TVec b);

    static abstract TVec ShiftLeft32(TVec a, int bits);

    /// <summary>Shifts zeros in.</summary>
    static abstract TVec ShiftRight32(TVec a, int bits);

    /// <summary>Shifts the sign in.</summary>
    static abstract TVec ShiftRightSigned32(TVec a, int bits);
}
