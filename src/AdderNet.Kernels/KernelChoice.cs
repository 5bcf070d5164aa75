namespace AdderNet.Kernels;

/// <summary>A kernel of the float32 forward pass and of the input gradient.</summary>
internal enum LayerKernel
{
    /// <summary>Lanes are channels; every filter element is worked off (<see cref="ForwardKernel"/>, <see cref="InputGradientKernel"/>).</summary>
    Dense,

    /// <summary>
    /// Lanes are pixels; filter elements that the inputs' range makes needless are skipped (<see cref="PlaneForwardKernel"/>,
    /// <see cref="PlaneGradientKernel"/>).
    /// </summary>
    Planes,
}

/// <summary>
/// Which kernel computes a layer in channels-last memory, as it is trained: the whole decision, with the measurements behind it. (Planes with
/// lists that are kept, as inference has them, are called by that name.) The environment variable ADDERNET_KERNEL takes it over:
/// scalar, vector128, vector256 or vector512 for the vectors' width, dense or planes for the kernel, or both with a hyphen between.
/// </summary>
internal static class KernelChoice
{
    public const string Variable = "ADDERNET_KERNEL";

    /// <summary>
    /// Lists cost some 3 cycles a weight and call, and a weight saves a third of a cycle at each 16 pixels: from so many on they cost below 2 %.
    /// </summary>
    private const int ManyPixels = 4096;

    /// <summary>
    /// Every pixel and channel is brought into planes and back, worth the work of some 6 filters. Measured with AVX2, 58 % of taps left, one thread,
    /// in one noisy run: the time of planes over dense is 1.3 with 16 filters, 0.93 to 1.08 with 32 and 64, 0.65 to 1.01 with 128 and 256.
    /// </summary>
    private const int ManyFilters = 96;

    /// <summary>Narrower images are brought in and out in pieces too short for whole vectors: 7x7 and 14x14 took 1.07 to 1.3 of the dense time.</summary>
    private const int WideImages = 16;

    /// <summary>
    /// The input gradient brings two kinds of channels into planes, and saves less: a term it can't skip takes 3 or 4 instructions as before.
    /// Measured with AVX2, one thread, 31 % of taps free and 14 % a sum, twice: the time of planes over dense is 0.81 to 0.96 for 128 to 512
    /// channels on both sides and images of 8, 16 and 32 columns (VGG-small), 0.8 to 1.1 with 16 and 32 channels, 1.0 to 1.6 where columns fill
    /// no whole vectors (7, 14 and 28) or images are few. Other widths were not measured; with AVX-512 the dense kernel clamps in one instruction.
    /// </summary>
    private const int ManyGradientChannels = 128;

    /// <summary>With more taps left than this, skipping does not pay for bringing channels-last memory into planes.</summary>
    private const double FewTapsLeft = 0.7;

    private static (VectorWidth? Width, LayerKernel? Kernel)? forced;

    /// <summary>What the environment forces; null where it leaves the choice.</summary>
    /// <exception cref="KernelChoiceException">The variable's value is unknown.</exception>
    public static (VectorWidth? Width, LayerKernel? Kernel) Forced => forced ??= Parse(Environment.GetEnvironmentVariable(Variable));

    /// <summary>Every width and kernel by the names the variable takes, as tests and benchmarks go through them.</summary>
    public static IReadOnlyList<string> Names { get; } =
        [.. Enum.GetValues<LayerKernel>().SelectMany(k => Enum.GetValues<VectorWidth>().Select(w => Name(w, k)))];

    public static string Name(VectorWidth width, LayerKernel kernel) => $"{kernel}-{width}".ToLowerInvariant();

    /// <summary>The kernel for a layer, its input [N, H, W, C] and its filters.</summary>
    public static unsafe LayerKernel Forward(AdderShape s, float* x, float* filters)
    {
        if (Forced.Kernel is { } kernel)
        {
            return kernel;
        }

        bool planes = (long)s.N * s.OutH * s.OutW >= ManyPixels && s.GroupO >= ManyFilters && s.OutW >= WideImages
            && s.StrideW == 1 && s.KernelH * s.KernelW > 1;

        // A few thousand values tell whether a ReLU stands before the layer and how many filter elements are above 0.
        return planes && Share(filters, s.FiltersLength, false) <= FewTapsLeft && Share(x, s.XLength, true) == 0
            ? LayerKernel.Planes
            : LayerKernel.Dense;
    }

    /// <summary>The kernel for a layer's input gradient.</summary>
    public static LayerKernel InputGradient(AdderShape s) =>
        Forced.Kernel ?? ((long)s.N * s.H * s.W >= ManyPixels && Math.Min(s.GroupC, s.GroupO) >= ManyGradientChannels
            && s.W % (int)VectorWidth.Vector256 == 0 && s.KernelH * s.KernelW > 1 && VectorWidths.Best == VectorWidth.Vector256
            ? LayerKernel.Planes
            : LayerKernel.Dense);

    /// <summary>Reads a value of the variable.</summary>
    /// <exception cref="KernelChoiceException">It is unknown.</exception>
    public static (VectorWidth? Width, LayerKernel? Kernel) Parse(string? value)
    {
        VectorWidth? width = null;
        LayerKernel? kernel = null;
        foreach (string part in (value ?? "").Split('-', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries))
        {
            if (char.IsAsciiLetter(part[0]) && Enum.TryParse(part, true, out VectorWidth w) && width is null)
            {
                width = w;
            }
            else if (char.IsAsciiLetter(part[0]) && Enum.TryParse(part, true, out LayerKernel k) && kernel is null)
            {
                kernel = k;
            }
            else
            {
                throw new KernelChoiceException(
                    $"{Variable} is '{value}', which names no kernel; use scalar, vector128, vector256 or vector512, dense or planes, or both as in planes-vector128.");
            }
        }

        return (width, kernel);
    }

    /// <summary>The share of some values, evenly picked, that are above 0 or, where <paramref name="below"/>, not at or above it.</summary>
    private static unsafe double Share(float* values, int count, bool below)
    {
        // An odd step meets every channel where their number is a power of two.
        const int Most = 2048;
        int step = Math.Max(1, count / Most) | 1, seen = 0, hits = 0;
        for (long i = 0; i < count; i += step, seen++)
        {
            hits += below ? values[i] >= 0 ? 0 : 1 : values[i] > 0 ? 1 : 0;
        }

        return hits / (double)seen;
    }
}
