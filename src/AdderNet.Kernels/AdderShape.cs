namespace AdderNet.Kernels;

/// <summary>
/// The sizes of one adder layer. Tensors are channels-last: input [N, H, W, C], output [N, OutH, OutW, O];
/// filters are [O, C / Groups, KernelH, KernelW] as in PyTorch.
/// </summary>
/// <param name="N">Images in the batch.</param>
/// <param name="C">Input channels.</param>
/// <param name="H">Input rows.</param>
/// <param name="W">Input columns.</param>
/// <param name="O">Output channels (filters).</param>
/// <param name="KernelH">Filter rows.</param>
/// <param name="KernelW">Filter columns.</param>
public sealed record AdderShape(int N, int C, int H, int W, int O, int KernelH, int KernelW)
{
    /// <summary>Rows from one output pixel's window to the next.</summary>
    public int StrideH { get; init; } = 1;

    /// <summary>Columns from one output pixel's window to the next.</summary>
    public int StrideW { get; init; } = 1;

    /// <summary>Rows of zeros above and below the input; they take part in the distance as X = 0.</summary>
    public int PaddingH { get; init; }

    /// <summary>Columns of zeros left and right of the input.</summary>
    public int PaddingW { get; init; }

    /// <summary>Rows between two taps of a filter.</summary>
    public int DilationH { get; init; } = 1;

    /// <summary>Columns between two taps of a filter.</summary>
    public int DilationW { get; init; } = 1;

    /// <summary>Groups of channels that see only each other; C and O are multiples of it.</summary>
    public int Groups { get; init; } = 1;

    /// <summary>Output rows.</summary>
    public int OutH => OutSize(H, KernelH, StrideH, PaddingH, DilationH);

    /// <summary>Output columns.</summary>
    public int OutW => OutSize(W, KernelW, StrideW, PaddingW, DilationW);

    /// <summary>Input channels of one group.</summary>
    public int GroupC => C / Groups;

    /// <summary>Output channels of one group.</summary>
    public int GroupO => O / Groups;

    /// <summary>Elements of one filter: the paper's k = c_in * d * d.</summary>
    public int FilterLength => GroupC * KernelH * KernelW;

    /// <summary>Floats in the input.</summary>
    public int XLength => checked(N * H * W * C);

    /// <summary>Floats in all filters.</summary>
    public int FiltersLength => checked(O * FilterLength);

    /// <summary>Floats in the output.</summary>
    public int YLength => checked(N * OutH * OutW * O);

    /// <summary>
    /// Whether each filter covers a whole image. Such a layer is the same as one whose images are single pixels of
    /// <see cref="XLength"/> / N channels, in the order (row, column, channel) that packed filters have anyway.
    /// </summary>
    internal bool SeesWholeImages =>
        Groups == 1 && KernelH == H && KernelW == W && KernelH * KernelW > 1 && PaddingH + PaddingW == 0 && DilationH == 1 && DilationW == 1;

    /// <summary>The layer of single pixels that <see cref="SeesWholeImages"/> speaks of.</summary>
    internal AdderShape OfWholeImages => new(N, C * H * W, 1, 1, O, 1, 1);

    private static int OutSize(int size, int kernel, int stride, int padding, int dilation) =>
        (int)((size + 2L * padding - dilation * (kernel - 1L) - 1) / stride) + 1;

    /// <summary>Checks that the sizes describe a layer that can be computed.</summary>
    /// <exception cref="ArgumentException">A size is not positive, a padding negative, the channels are no multiple of
    /// the groups, the window is larger than the padded input, or a tensor would hold more than 2^31 - 1 elements.</exception>
    public void Validate()
    {
        Positive(N, nameof(N)); Positive(C, nameof(C)); Positive(H, nameof(H)); Positive(W, nameof(W)); Positive(O, nameof(O));
        Positive(KernelH, nameof(KernelH)); Positive(KernelW, nameof(KernelW));
        Positive(StrideH, nameof(StrideH)); Positive(StrideW, nameof(StrideW));
        Positive(DilationH, nameof(DilationH)); Positive(DilationW, nameof(DilationW)); Positive(Groups, nameof(Groups));
        if (PaddingH < 0 || PaddingW < 0)
        {
            throw new ArgumentException($"Padding ({PaddingH}, {PaddingW}) is negative; use 0 or more.");
        }

        if (C % Groups != 0 || O % Groups != 0)
        {
            throw new ArgumentException($"Channels in ({C}) and out ({O}) must both be multiples of groups ({Groups}).");
        }

        if (DilationH * (KernelH - 1L) >= H + 2L * PaddingH || DilationW * (KernelW - 1L) >= W + 2L * PaddingW)
        {
            throw new ArgumentException(
                $"The {KernelH}x{KernelW} window (dilation {DilationH}, {DilationW}) is larger than the padded input " +
                $"{H + 2L * PaddingH}x{W + 2L * PaddingW}.");
        }

        Fits((long)H + 2L * PaddingH, (long)W + 2L * PaddingW, C, 1, "One padded image");
        Fits(N, H, W, C, "The input");
        Fits(N, OutH, OutW, O, "The output");
        Fits(O, GroupC, KernelH, KernelW, "The filters");
    }

    private static void Positive(int value, string name)
    {
        if (value <= 0)
        {
            throw new ArgumentException($"{name} is {value}; it must be at least 1.");
        }
    }

    private static void Fits(long a, long b, long c, long d, string what)
    {
        if ((Int128)a * b * c * d > int.MaxValue)
        {
            throw new ArgumentException($"{what} would hold {(Int128)a * b * c * d} floats, more than the {int.MaxValue} one call takes; use a smaller batch.");
        }
    }
}
