using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace AdderNet.Kernels;

/// <summary>Measures what values lie between, on all threads.</summary>
internal static unsafe class MeasuredRange
{
    private const int Part = 1 << 16;

    private struct Job
    {
        public float* Values;
        public int Count;
        public Result* Results;
    }

    private readonly record struct Result(float Min, float Max, bool Finite);

    /// <summary>The smallest and the largest value; false where one is not finite.</summary>
    public static bool TryMeasure(VectorWidth width, float* values, int count, out InputRange range)
    {
        int parts = Window.Ceiling(count, Part);
        Carver carver = new(null);
        carver.Take<Result>(parts);
        carver = new(Scratch.ForCall(carver.Size));
        Job job = new() { Values = values, Count = count, Results = carver.Take<Result>(parts) };
        delegate*<void*, int, void> body = width switch
        {
            VectorWidth.Vector512 => &Measure<Simd512, Vector512<float>>,
            VectorWidth.Vector256 => &Measure<Simd256, Vector256<float>>,
            VectorWidth.Vector128 => &Measure<Simd128, Vector128<float>>,
            _ => &Measure<SimdScalar, float>,
        };
        WorkerPool.Run(parts, body, &job);
        var (min, max, finite) = (float.PositiveInfinity, float.NegativeInfinity, true);
        for (int i = 0; i < parts; i++)
        {
            (min, max, finite) = (Math.Min(min, job.Results[i].Min), Math.Max(max, job.Results[i].Max), finite & job.Results[i].Finite);
        }

        range = new InputRange(min, max);
        return finite;
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Measure<TOps, TVec>(void* context, int part)
        where TOps : struct, ISimd<TVec>
        where TVec : struct
    {
        var job = (Job*)context;
        float* at = job->Values + (nint)part * Part;
        int count = Math.Min(Part, job->Count - part * Part), i = 0;
        float min = *at, max = *at, rest = 0;
        TVec low = TOps.Create(min), high = low, zero = TOps.Create(0), check = zero;
        for (; i <= count - TOps.Lanes; i += TOps.Lanes)
        {
            TVec x = TOps.Load(at + i);
            low = TOps.Min(x, low);
            high = TOps.Max(x, high);
            check = TOps.MulAdd(x, zero, check);
        }

        for (; i < count; i++)
        {
            min = Math.Min(min, at[i]);
            max = Math.Max(max, at[i]);
            rest += at[i] * 0;
        }

        float* lanes = stackalloc float[16];
        TOps.Store(lanes, low);
        for (int k = 0; k < TOps.Lanes; k++)
        {
            min = Math.Min(min, lanes[k]);
        }

        TOps.Store(lanes, high);
        for (int k = 0; k < TOps.Lanes; k++)
        {
            max = Math.Max(max, lanes[k]);
        }

        job->Results[part] = new Result(min, max, TOps.AllZero(check) && rest == 0);
    }
}
