using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.Arm;
using System.Runtime.Intrinsics.X86;

namespace AdderNet.Kernels;

/// <summary>Transposes a part of a matrix, in squares that fit the registers.</summary>
internal static unsafe class Transposition
{
    /// <summary>to[c, r] = from[r, c], where rows of either lie a stride of floats apart.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Run(int lanes, float* from, nint fromStride, int rows, int columns, float* to, nint toStride)
    {
        int square = lanes >= 8 && Avx.IsSupported ? 8 : lanes >= 4 && (Sse.IsSupported || AdvSimd.Arm64.IsSupported) ? 4 : 1;
        int wholeRows = square == 1 ? 0 : rows / square * square, wholeColumns = square == 1 ? 0 : columns / square * square;
        for (int r = 0; r < wholeRows; r += square)
            for (int c = 0; c < wholeColumns; c += square)
            {
                float* x = from + r * fromStride + c, y = to + c * toStride + r;
                if (square == 8)
                {
                    Square8(x, fromStride, y, toStride);
                }
                else
                {
                    Square4(x, fromStride, y, toStride);
                }
            }

        for (int r = 0; r < rows; r++)
            for (int c = r < wholeRows ? wholeColumns : 0; c < columns; c++)
            {
                to[c * toStride + r] = from[r * fromStride + c];
            }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Square8(float* x, nint step, float* y, nint toStep)
    {
        Vector256<float> r0 = Vector256.Load(x), r1 = Vector256.Load(x + step), r2 = Vector256.Load(x + 2 * step), r3 = Vector256.Load(x + 3 * step);
        Vector256<float> r4 = Vector256.Load(x + 4 * step), r5 = Vector256.Load(x + 5 * step), r6 = Vector256.Load(x + 6 * step), r7 = Vector256.Load(x + 7 * step);
        Vector256<float> a0 = Avx.UnpackLow(r0, r1), a1 = Avx.UnpackHigh(r0, r1), a2 = Avx.UnpackLow(r2, r3), a3 = Avx.UnpackHigh(r2, r3);
        Vector256<float> a4 = Avx.UnpackLow(r4, r5), a5 = Avx.UnpackHigh(r4, r5), a6 = Avx.UnpackLow(r6, r7), a7 = Avx.UnpackHigh(r6, r7);
        r0 = Avx.Shuffle(a0, a2, 0x44);
        r1 = Avx.Shuffle(a0, a2, 0xEE);
        r2 = Avx.Shuffle(a1, a3, 0x44);
        r3 = Avx.Shuffle(a1, a3, 0xEE);
        r4 = Avx.Shuffle(a4, a6, 0x44);
        r5 = Avx.Shuffle(a4, a6, 0xEE);
        r6 = Avx.Shuffle(a5, a7, 0x44);
        r7 = Avx.Shuffle(a5, a7, 0xEE);
        Avx.Permute2x128(r0, r4, 0x20).Store(y);
        Avx.Permute2x128(r1, r5, 0x20).Store(y + toStep);
        Avx.Permute2x128(r2, r6, 0x20).Store(y + 2 * toStep);
        Avx.Permute2x128(r3, r7, 0x20).Store(y + 3 * toStep);
        Avx.Permute2x128(r0, r4, 0x31).Store(y + 4 * toStep);
        Avx.Permute2x128(r1, r5, 0x31).Store(y + 5 * toStep);
        Avx.Permute2x128(r2, r6, 0x31).Store(y + 6 * toStep);
        Avx.Permute2x128(r3, r7, 0x31).Store(y + 7 * toStep);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Square4(float* x, nint step, float* y, nint toStep)
    {
        Vector128<float> r0 = Vector128.Load(x), r1 = Vector128.Load(x + step), r2 = Vector128.Load(x + 2 * step), r3 = Vector128.Load(x + 3 * step);
        Vector128<float> a0 = ZipLow(r0, r2), a1 = ZipHigh(r0, r2), a2 = ZipLow(r1, r3), a3 = ZipHigh(r1, r3);
        ZipLow(a0, a2).Store(y);
        ZipHigh(a0, a2).Store(y + toStep);
        ZipLow(a1, a3).Store(y + 2 * toStep);
        ZipHigh(a1, a3).Store(y + 3 * toStep);
    }

    private static Vector128<float> ZipLow(Vector128<float> a, Vector128<float> b) =>
        Sse.IsSupported ? Sse.UnpackLow(a, b) : AdvSimd.Arm64.ZipLow(a, b);

    private static Vector128<float> ZipHigh(Vector128<float> a, Vector128<float> b) =>
        Sse.IsSupported ? Sse.UnpackHigh(a, b) : AdvSimd.Arm64.ZipHigh(a, b);
}
