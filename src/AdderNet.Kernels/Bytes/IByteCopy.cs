using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace AdderNet.Kernels.Bytes;

/// <summary>
/// Copies so many pixels, each some bytes from the one before, and up to 31 bytes behind them: whoever copies writes what follows later,
/// or leaves room.
/// </summary>
internal unsafe interface IByteCopy
{
    static abstract void Copy(byte* from, byte* to, int count, int stride);
}

/// <summary>Up to 8 neighbours.</summary>
internal readonly unsafe struct Copy8 : IByteCopy
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Copy(byte* from, byte* to, int count, int stride) => Unsafe.WriteUnaligned(to, Unsafe.ReadUnaligned<ulong>(from));
}

/// <summary>Up to 16 neighbours.</summary>
internal readonly unsafe struct Copy16 : IByteCopy
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Copy(byte* from, byte* to, int count, int stride) => Vector128.Load(from).Store(to);
}

/// <summary>Up to 32 neighbours.</summary>
internal readonly unsafe struct Copy32 : IByteCopy
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Copy(byte* from, byte* to, int count, int stride) => Vector256.Load(from).Store(to);
}

/// <summary>Any number of neighbours.</summary>
internal readonly unsafe struct CopyLong : IByteCopy
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Copy(byte* from, byte* to, int count, int stride)
    {
        for (int k = 0; k < count; k += 32)
        {
            Vector256.Load(from + k).Store(to + k);
        }
    }
}

/// <summary>Every second byte.</summary>
internal readonly unsafe struct CopyEverySecond : IByteCopy
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Copy(byte* from, byte* to, int count, int stride)
    {
        Vector128<ushort> even = Vector128.Create((ushort)255);
        for (int k = 0; k < count; k += 16)
        {
            Vector128<ushort> lower = Vector128.Load((ushort*)(from + 2 * k)) & even, upper = Vector128.Load((ushort*)(from + 2 * k + 16)) & even;
            Vector128.NarrowWithSaturation(lower, upper).Store(to + k);
        }
    }
}

/// <summary>Any stride.</summary>
internal readonly unsafe struct CopyStrided : IByteCopy
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Copy(byte* from, byte* to, int count, int stride)
    {
        for (int k = 0; k < count; k++)
        {
            to[k] = from[(nint)k * stride];
        }
    }
}
