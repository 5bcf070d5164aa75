using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using AdderNet.Kernels;
using AdderNet.Kernels.Bytes;

namespace AdderNet.Bench;

/// <summary>Terms a second of the kernels against <see cref="RegisterLoop{TOps, TVec}"/> or that of bytes, on as many threads.</summary>
internal static unsafe class PeakSuite
{
    public const string Forward = "share of peak, forward", InputGradient = "share of peak, input gradient";

    private const long Rounds = 200_000;

    /// <summary>Every kernel of the forward pass at this machine's width, and the planes with lists kept, which count just the taps left.</summary>
    public static IEnumerable<Row> MeasureForward(LayerCase c, int threads, TimeSpan time)
    {
        AdderShape s = c.Shape;
        var (f, kind) = LayerFilters.Of(c);
        float[] x = LayerFilters.Inputs(c), y = new float[s.YLength];
        PackedTaps taps = new(s, f, InputRange.AfterRelu);
        foreach (string name in KernelChoice.Names)
        {
            var (width, kernel) = KernelChoice.Parse(name);
            if (width == VectorWidths.Best)
            {
                double left = kernel == LayerKernel.Planes ? taps.ShareLeft : 1;
                yield return Measure($"{Forward}, {name}", c, left, threads, time, () => AdderKernel.Forward(s, x, f, y, width, kernel), Loop(gradient: false));
            }
        }

        yield return Measure($"{Forward}, planes with lists kept, {kind}", c, taps.ShareLeft, threads, time, () => AdderKernel.Forward(s, x, taps, y), Loop(gradient: false));
    }

    /// <summary>Every kernel of the input gradient at this machine's width.</summary>
    public static IEnumerable<Row> MeasureInputGradient(LayerCase c, int threads, TimeSpan time)
    {
        AdderShape s = c.Shape;
        var (f, _) = LayerFilters.Of(c);
        float[] x = LayerFilters.Inputs(c), g = Random(s.YLength), gradX = new float[s.XLength];
        foreach (string name in KernelChoice.Names)
        {
            var (width, kernel) = KernelChoice.Parse(name);
            if (width == VectorWidths.Best)
            {
                yield return Measure(
                    $"{InputGradient}, {name}", c, 1, threads, time, () => AdderKernel.InputGradient(s, x, f, g, gradX, width, kernel),
                    Loop(gradient: true));
            }
        }
    }

    /// <summary>The loop on bytes at 7 bits, which counts just the taps left.</summary>
    public static IEnumerable<Row> MeasureBytes(LayerCase c, int threads, TimeSpan time)
    {
        var (run, left) = ByteSuite.Ours(c, 7);
        yield return Measure("share of peak, bytes, 7 bits", c, left, threads, time, run, ByteLoop());
    }

    private static Row Measure(string suite, LayerCase c, double left, int threads, TimeSpan time, Action kernel, (Action<nint> Run, double Terms) loop)
    {
        float* operands = (float*)NativeMemory.AlignedAlloc(4096, 64);
        new Span<float>(operands, 1024).Fill(1);
        try
        {
            var parallel = new ParallelOptions { MaxDegreeOfParallelism = threads };
            double[] s = Interleaved.Medians(time, 15, kernel, () => Parallel.For(0, threads, parallel, _ => loop.Run((nint)operands)));
            string share = left < 1 ? $" ({left:P0} of taps left)" : "";
            return new Row(suite, $"{c}{share}", threads, left * c.Terms / s[0] / 1e9, loop.Terms * threads / s[1] / 1e9, "G terms/s");
        }
        finally
        {
            NativeMemory.AlignedFree(operands);
        }
    }

    /// <summary>The loop at the width the kernels run at on this machine.</summary>
    private static (Action<nint> Run, double Terms) Loop(bool gradient) => VectorWidths.Best switch
    {
        VectorWidth.Vector512 => Loop<Simd512, Vector512<float>>(gradient),
        VectorWidth.Vector256 => Loop<Simd256, Vector256<float>>(gradient),
        VectorWidth.Vector128 => Loop<Simd128, Vector128<float>>(gradient),
        _ => Loop<SimdScalar, float>(gradient),
    };

    private static (Action<nint> Run, double Terms) Loop<TOps, TVec>(bool gradient)
        where TOps : struct, ISimd<TVec>
        where TVec : struct =>
        (gradient
            ? p => RegisterLoop<TOps, TVec>.InputGradient(Rounds, (float*)p)
            : p => RegisterLoop<TOps, TVec>.Forward(Rounds, (float*)p),
        (double)Rounds * RegisterLoop<TOps, TVec>.TermsPerRound);

    private static (Action<nint> Run, double Terms) ByteLoop() =>
        Vector512.IsHardwareAccelerated ? ByteLoop<ByteSimd512, Vector512<byte>>()
        : Vector256.IsHardwareAccelerated ? ByteLoop<ByteSimd256, Vector256<byte>>()
        : ByteLoop<ByteSimd128, Vector128<byte>>();

    private static (Action<nint> Run, double Terms) ByteLoop<TOps, TVec>()
        where TOps : struct, IByteSimd<TVec>
        where TVec : struct =>
        (p => ByteRegisterLoop<TOps, TVec>.Run(Rounds, (byte*)p), (double)Rounds * ByteRegisterLoop<TOps, TVec>.TermsPerRound);

    private static float[] Random(int length)
    {
        var random = new Random(1);
        float[] values = new float[length];
        for (int i = 0; i < length; i++)
        {
            values[i] = random.NextSingle() * 4 - 2;
        }

        return values;
    }
}
