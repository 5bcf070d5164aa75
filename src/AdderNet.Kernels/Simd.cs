using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.Arm;
using System.Runtime.Intrinsics.X86;

namespace AdderNet.Kernels;

/// <summary>
/// The few vector operations the kernels are written in, so that one source serves every width: the JIT compiles one copy
/// a width and inlines these to single instructions.
/// </summary>
internal unsafe interface ISimd<TVec>
    where TVec : struct
{
    /// <summary>Floats in a vector.</summary>
    static abstract int Lanes { get; }

    static abstract TVec Load(float* at);

    /// <summary>Every other float of the 2 * Lanes floats from <paramref name="at"/> on, beginning with the first.</summary>
    static abstract TVec LoadEven(float* at);

    static abstract void Store(float* at, TVec value);

    static abstract TVec Create(float value);

    static abstract TVec Add(TVec a, TVec b);

    static abstract TVec Sub(TVec a, TVec b);

    static abstract TVec Mul(TVec a, TVec b);

    static abstract TVec Abs(TVec a);

    /// <summary>a * b + c, fused where the hardware can.</summary>
    static abstract TVec MulAdd(TVec a, TVec b, TVec c);

    /// <summary>The hardware's maximum: where either is NaN, x86 gives b and Arm gives NaN.</summary>
    static abstract TVec Max(TVec a, TVec b);

    /// <summary>The hardware's minimum: where either is NaN, x86 gives b and Arm gives NaN.</summary>
    static abstract TVec Min(TVec a, TVec b);

    /// <summary>
    /// sum + value, with <paramref name="one"/> a vector of ones. On x86 it is a fused multiply-add by one, since the
    /// maximum shares its execution ports with the plain addition but not with the fused one: twice the speed.
    /// </summary>
    static abstract TVec Accumulate(TVec sum, TVec value, TVec one);

    /// <summary>Whether <see cref="Clamp"/> is there: one instruction instead of a maximum and a minimum.</summary>
    static virtual bool HasClamp => false;

    /// <summary>d limited to -1 to 1, with <paramref name="one"/> a vector of ones; where d is NaN, 1 or -1.</summary>
    static virtual TVec Clamp(TVec d, TVec one) => throw new NotSupportedException();

    /// <summary>a with the sign of s.</summary>
    static abstract TVec CopySign(TVec a, TVec s);

    /// <summary>a &lt; b ? yes : no, lane by lane.</summary>
    static abstract TVec SelectLess(TVec a, TVec b, TVec yes, TVec no);

    /// <summary>a == b ? yes : no, lane by lane.</summary>
    static abstract TVec SelectEqual(TVec a, TVec b, TVec yes, TVec no);

    /// <summary>Whether every lane of a is zero; false where one is NaN.</summary>
    static abstract bool AllZero(TVec a);

    static abstract float Sum(TVec a);
}

internal readonly unsafe struct Simd512 : ISimd<Vector512<float>>
{
    public static int Lanes => 16;

    public static Vector512<float> Load(float* at) => Vector512.Load(at);

    public static Vector512<float> LoadEven(float* at) => Vector512.Create(Simd256.LoadEven(at), Simd256.LoadEven(at + 16));

    public static void Store(float* at, Vector512<float> value) => value.Store(at);

    public static Vector512<float> Create(float value) => Vector512.Create(value);

    public static Vector512<float> Add(Vector512<float> a, Vector512<float> b) => a + b;

    public static Vector512<float> Sub(Vector512<float> a, Vector512<float> b) => a - b;

    public static Vector512<float> Mul(Vector512<float> a, Vector512<float> b) => a * b;

    public static Vector512<float> Abs(Vector512<float> a) => Vector512.Abs(a);

    public static Vector512<float> MulAdd(Vector512<float> a, Vector512<float> b, Vector512<float> c) => Vector512.MultiplyAddEstimate(a, b, c);

    public static Vector512<float> Max(Vector512<float> a, Vector512<float> b) => Vector512.MaxNative(a, b);

    public static Vector512<float> Min(Vector512<float> a, Vector512<float> b) => Vector512.MinNative(a, b);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Accumulate(Vector512<float> sum, Vector512<float> value, Vector512<float> one) =>
        Fma.IsSupported ? Vector512.MultiplyAddEstimate(value, one, sum) : sum + value;

    public static bool HasClamp => Avx512DQ.IsSupported;

    /// <summary>The smaller of |d| and 1, with d's sign.</summary>
    public static Vector512<float> Clamp(Vector512<float> d, Vector512<float> one) => Avx512DQ.Range(d, one, 0b0010);

    public static Vector512<float> CopySign(Vector512<float> a, Vector512<float> s) => Vector512.CopySign(a, s);

    public static Vector512<float> SelectLess(Vector512<float> a, Vector512<float> b, Vector512<float> yes, Vector512<float> no) =>
        Vector512.ConditionalSelect(Vector512.LessThan(a, b), yes, no);

    public static Vector512<float> SelectEqual(Vector512<float> a, Vector512<float> b, Vector512<float> yes, Vector512<float> no) =>
        Vector512.ConditionalSelect(Vector512.Equals(a, b), yes, no);

    public static bool AllZero(Vector512<float> a) => Vector512.EqualsAll(a, Vector512<float>.Zero);

    public static float Sum(Vector512<float> a) => Vector512.Sum(a);
}

internal readonly unsafe struct Simd256 : ISimd<Vector256<float>>
{
    public static int Lanes => 8;

    public static Vector256<float> Load(float* at) => Vector256.Load(at);

    public static Vector256<float> LoadEven(float* at) =>
        Avx2.IsSupported
            ? Avx2.Permute4x64(Avx.Shuffle(Load(at), Load(at + 8), 0b10_00_10_00).AsDouble(), 0b11_01_10_00).AsSingle()
            : Vector256.Create(Simd128.LoadEven(at), Simd128.LoadEven(at + 8));

    public static void Store(float* at, Vector256<float> value) => value.Store(at);

    public static Vector256<float> Create(float value) => Vector256.Create(value);

    public static Vector256<float> Add(Vector256<float> a, Vector256<float> b) => a + b;

    public static Vector256<float> Sub(Vector256<float> a, Vector256<float> b) => a - b;

    public static Vector256<float> Mul(Vector256<float> a, Vector256<float> b) => a * b;

    public static Vector256<float> Abs(Vector256<float> a) => Vector256.Abs(a);

    public static Vector256<float> MulAdd(Vector256<float> a, Vector256<float> b, Vector256<float> c) => Vector256.MultiplyAddEstimate(a, b, c);

    public static Vector256<float> Max(Vector256<float> a, Vector256<float> b) => Vector256.MaxNative(a, b);

    public static Vector256<float> Min(Vector256<float> a, Vector256<float> b) => Vector256.MinNative(a, b);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Accumulate(Vector256<float> sum, Vector256<float> value, Vector256<float> one) =>
        Fma.IsSupported ? Vector256.MultiplyAddEstimate(value, one, sum) : sum + value;

    public static Vector256<float> CopySign(Vector256<float> a, Vector256<float> s) => Vector256.CopySign(a, s);

    public static Vector256<float> SelectLess(Vector256<float> a, Vector256<float> b, Vector256<float> yes, Vector256<float> no) =>
        Vector256.ConditionalSelect(Vector256.LessThan(a, b), yes, no);

    public static Vector256<float> SelectEqual(Vector256<float> a, Vector256<float> b, Vector256<float> yes, Vector256<float> no) =>
        Vector256.ConditionalSelect(Vector256.Equals(a, b), yes, no);

    public static bool AllZero(Vector256<float> a) => Vector256.EqualsAll(a, Vector256<float>.Zero);

    public static float Sum(Vector256<float> a) => Vector256.Sum(a);
}

internal readonly unsafe struct Simd128 : ISimd<Vector128<float>>
{
    public static int Lanes => 4;

    public static Vector128<float> Load(float* at) => Vector128.Load(at);

    public static Vector128<float> LoadEven(float* at) =>
        Sse.IsSupported ? Sse.Shuffle(Load(at), Load(at + 4), 0b10_00_10_00)
        : AdvSimd.Arm64.IsSupported ? AdvSimd.Arm64.UnzipEven(Load(at), Load(at + 4))
        : Vector128.Create(at[0], at[2], at[4], at[6]);

    public static void Store(float* at, Vector128<float> value) => value.Store(at);

    public static Vector128<float> Create(float value) => Vector128.Create(value);

    public static Vector128<float> Add(Vector128<float> a, Vector128<float> b) => a + b;

    public static Vector128<float> Sub(Vector128<float> a, Vector128<float> b) => a - b;

    public static Vector128<float> Mul(Vector128<float> a, Vector128<float> b) => a * b;

    public static Vector128<float> Abs(Vector128<float> a) => Vector128.Abs(a);

    public static Vector128<float> MulAdd(Vector128<float> a, Vector128<float> b, Vector128<float> c) => Vector128.MultiplyAddEstimate(a, b, c);

    public static Vector128<float> Max(Vector128<float> a, Vector128<float> b) => Vector128.MaxNative(a, b);

    public static Vector128<float> Min(Vector128<float> a, Vector128<float> b) => Vector128.MinNative(a, b);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> Accumulate(Vector128<float> sum, Vector128<float> value, Vector128<float> one) =>
        Fma.IsSupported ? Vector128.MultiplyAddEstimate(value, one, sum) : sum + value;

    public static Vector128<float> CopySign(Vector128<float> a, Vector128<float> s) => Vector128.CopySign(a, s);

    public static Vector128<float> SelectLess(Vector128<float> a, Vector128<float> b, Vector128<float> yes, Vector128<float> no) =>
        Vector128.ConditionalSelect(Vector128.LessThan(a, b), yes, no);

    public static Vector128<float> SelectEqual(Vector128<float> a, Vector128<float> b, Vector128<float> yes, Vector128<float> no) =>
        Vector128.ConditionalSelect(Vector128.Equals(a, b), yes, no);

    public static bool AllZero(Vector128<float> a) => Vector128.EqualsAll(a, Vector128<float>.Zero);

    public static float Sum(Vector128<float> a) => Vector128.Sum(a);
}

/// <summary>One float at a time, for processors without vectors.</summary>
internal readonly unsafe struct SimdScalar : ISimd<float>
{
    public static int Lanes => 1;

    public static float Load(float* at) => *at;

    public static float LoadEven(float* at) => *at;

    public static void Store(float* at, float value) => *at = value;

    public static float Create(float value) => value;

    public static float Add(float a, float b) => a + b;

    public static float Sub(float a, float b) => a - b;

    public static float Mul(float a, float b) => a * b;

    public static float Abs(float a) => MathF.Abs(a);

    public static float MulAdd(float a, float b, float c) => a * b + c;

    public static float Max(float a, float b) => a > b ? a : b;

    public static float Min(float a, float b) => a < b ? a : b;

    public static float Accumulate(float sum, float value, float one) => sum + value;

    public static float CopySign(float a, float s) => MathF.CopySign(a, s);

    public static float SelectLess(float a, float b, float yes, float no) => a < b ? yes : no;

    public static float SelectEqual(float a, float b, float yes, float no) => a == b ? yes : no;

    public static bool AllZero(float a) => a == 0;

    public static float Sum(float a) => a;
}
