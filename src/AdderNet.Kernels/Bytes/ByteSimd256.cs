using System.Runtime.Intrinsics;
using Vec = System.Runtime.Intrinsics.Vector256<byte>;

namespace AdderNet.Kernels.Bytes;

/// <summary>Vectors of 32 bytes.</summary>
internal readonly unsafe struct ByteSimd256 : IByteSimd<Vec>
{
    public static int Lanes => 32;

    public static Vec Load(byte* at) => Vector256.Load(at);

    public static void Store(byte* at, Vec value) => value.Store(at);

    public static Vec Broadcast(int value) => Vector256.Create(value).AsByte();

    public static Vec Min8(Vec a, Vec b) => Vector256.Min(a, b);

    public static Vec Add8(Vec a, Vec b) => a + b;

    public static Vec Add16(Vec a, Vec b) => (a.AsUInt16() + b.AsUInt16()).AsByte();

    public static Vec Sub16(Vec a, Vec b) => (a.AsUInt16() - b.AsUInt16()).AsByte();

    public static Vec Upper8(Vec a) => (a.AsUInt16() >>> 8).AsByte();

    public static Vec RaiseLower8(Vec a) => (a.AsUInt16() << 8).AsByte();

    public static Vec And(Vec a, Vec b) => a & b;

    public static Vec Or(Vec a, Vec b) => a | b;

    public static Vec Add32(Vec a, Vec b) => (a.AsInt32() + b.AsInt32()).AsByte();

    public static Vec Sub32(Vec a, Vec b) => (a.AsInt32() - b.AsInt32()).AsByte();

    public static Vec Mul32(Vec a, Vec b) => (a.AsInt32() * b.AsInt32()).AsByte();

    public static Vec Min32(Vec a, Vec b) => Vector256.Min(a.AsInt32(), b.AsInt32()).AsByte();

    public static Vec Max32(Vec a, Vec b) => Vector256.Max(a.AsInt32(), b.AsInt32()).AsByte();

    public static Vec ShiftLeft32(Vec a, int bits) => (a.AsInt32() << bits).AsByte();

    public static Vec ShiftRight32(Vec a, int bits) => (a.AsInt32() >>> bits).AsByte();

    public static Vec ShiftRightSigned32(Vec a, int bits) => (a.AsInt32() >> bits).AsByte();
}
