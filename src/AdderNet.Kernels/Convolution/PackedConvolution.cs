namespace AdderNet.Kernels;

/// <summary>
/// An ordinary convolution's weights in the order that <see cref="ConvolutionKernel"/> reads: blocks of four output channels of one group, in
/// a block one float an output channel for each tap, in the order (channel, row, column), zero where there is no such channel.
/// </summary>
public sealed class PackedConvolution
{
    internal const int Block = 4;

    /// <summary>Packs weights.</summary>
    /// <param name="shape">Sizes of the layer; images of any number and size can follow.</param>
    /// <param name="weights">Weights [O, C / Groups, KernelH, KernelW]; not kept.</param>
    /// <exception cref="ArgumentException">The shape is not valid, or the span's length is not what it says.</exception>
    public PackedConvolution(AdderShape shape, ReadOnlySpan<float> weights)
    {
        ArgumentNullException.ThrowIfNull(shape);
        shape.Validate();
        AdderKernel.Length(weights.Length, shape.FiltersLength, nameof(weights));
        (Groups, GroupO, Taps) = (shape.Groups, shape.GroupO, shape.FilterLength);
        Blocks = (GroupO + Block - 1) / Block;
        Weights = GC.AllocateArray<float>(checked(Groups * Blocks * Block * Taps), pinned: true);
        for (int o = 0; o < shape.O; o++)
        {
            int block = o / GroupO * Blocks + o % GroupO / Block;
            for (int t = 0; t < Taps; t++)
            {
                Weights[(block * Taps + t) * Block + o % GroupO % Block] = weights[o * Taps + t];
            }
        }
    }

    /// <summary>Bytes it takes.</summary>
    public long Bytes => (long)sizeof(float) * Weights.Length;

    internal int Groups { get; }

    internal int GroupO { get; }

    internal int Taps { get; }

    /// <summary>Blocks of a group.</summary>
    internal int Blocks { get; }

    internal float[] Weights { get; }
}
