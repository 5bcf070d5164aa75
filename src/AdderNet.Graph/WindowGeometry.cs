namespace AdderNet.Graph;

/// <summary>How a window walks over a map, with PyTorch's meaning of each word.</summary>
/// <param name="KernelH">Rows of the window.</param>
/// <param name="KernelW">Columns of the window.</param>
/// <param name="StrideH">Rows from one window to the next.</param>
/// <param name="StrideW">Columns from one window to the next.</param>
/// <param name="PaddingH">Rows of border above and below.</param>
/// <param name="PaddingW">Columns of border left and right.</param>
/// <param name="DilationH">Rows between two taps.</param>
/// <param name="DilationW">Columns between two taps.</param>
public sealed record WindowGeometry(
    int KernelH, int KernelW, int StrideH = 1, int StrideW = 1, int PaddingH = 0, int PaddingW = 0, int DilationH = 1, int DilationW = 1)
{
    /// <summary>The output's rows and columns for an input's.</summary>
    /// <exception cref="GraphException">The window is not valid, or larger than the padded input.</exception>
    internal (int Height, int Width) Over(FeatureShape input)
    {
        // Beyond any layer, and small enough that no sum of products below leaves a long.
        const int largest = 1 << 20;
        int[] positive = [KernelH, KernelW, StrideH, StrideW, DilationH, DilationW];
        if (positive.Any(size => size is < 1 or > largest) || PaddingH is < 0 or > largest || PaddingW is < 0 or > largest)
        {
            throw new GraphException($"its window {this} makes no sense");
        }

        if (input.IsVector)
        {
            throw new GraphException($"its window needs a map [C, H, W], not a vector of {input.Channels}");
        }

        long height = Size(input.Height, KernelH, StrideH, PaddingH, DilationH), width = Size(input.Width, KernelW, StrideW, PaddingW, DilationW);
        return height < 1 || width < 1
            ? throw new GraphException($"its {KernelH}x{KernelW} window is larger than its padded input of {input}")
            : (checked((int)height), checked((int)width));
    }

    private static long Size(long size, long kernel, long stride, long padding, long dilation)
    {
        long room = size + 2 * padding - dilation * (kernel - 1) - 1;
        return room < 0 ? 0 : room / stride + 1;
    }
}
