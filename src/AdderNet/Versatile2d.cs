using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;
using Module = TorchSharp.torch.nn.Module<TorchSharp.torch.Tensor, TorchSharp.torch.Tensor>;

namespace AdderNet;

/// <summary>
/// A layer of versatile filters: the outputs of all secondary filters behind each other, of the whole primary filters first. What is learned
/// and kept are the primary filters, in the layer <c>primary</c>; in an adder layer, too, where a tap that a sub-kernel leaves away is no
/// zero but takes no part in the distance. Made by <see cref="Layers"/>.
/// </summary>
public sealed class Versatile2d : nn.Module<Tensor, Tensor>
{
    // The field's name is part of the state_dict's keys.
#pragma warning disable CA2213 // The base class disposes registered modules.
    private readonly Module primary;
#pragma warning restore CA2213

    /// <param name="primary">An adder layer or convolution with the primary filters; no groups, no bias.</param>
    /// <param name="filters">What becomes of them.</param>
    internal Versatile2d(Module primary, VersatileFilters filters)
        : base(nameof(Versatile2d))
    {
        (this.primary, Filters) = (primary, filters);
        RegisterComponents();
    }

    /// <summary>What becomes of the primary filters.</summary>
    public VersatileFilters Filters { get; }

    /// <summary>The layer that has the primary filters and computes with them as they are: an <see cref="Adder2d"/> or a convolution.</summary>
    public Module Primary => primary;

    /// <summary>Rows and columns that secondary filters lose on each side, and the first input channel that they see: in the outputs' order.</summary>
    internal IEnumerable<(int Border, int Start)> Secondary =>
        from border in Filters.Borders(Shape[2]) from start in Filters.Starts select (border, start);

    /// <summary>Channels that a filter sees.</summary>
    internal int Seen => (int)Shape[1];

    private long[] Shape => primary switch
    {
        Adder2d adder => adder.Filters.shape,
        Conv2d convolution => convolution.weight!.shape,
        _ => throw new InvalidOperationException($"A {primary.GetType().Name} has no filters that can be shared."),
    };

    /// <summary>The layer of the primary filters of a layer of some size, checked.</summary>
    /// <param name="filters">What becomes of them.</param>
    /// <param name="inChannels">Channels of the whole layer's input.</param>
    /// <param name="outChannels">Channels of the whole layer's output.</param>
    /// <param name="kernelSize">Rows and columns of a primary filter.</param>
    /// <param name="padding">Pixels of zeros on each side of the input.</param>
    /// <returns>Channels that a primary filter sees, and how many of them there are.</returns>
    /// <exception cref="ArgumentException">The sizes make no versatile layer.</exception>
    internal static (long InChannels, long OutChannels) PrimarySize(
        VersatileFilters filters, long inChannels, long outChannels, long kernelSize, long padding)
    {
        filters.Check();
        int count = filters.Count(kernelSize);
        return outChannels % count != 0
            ? throw new ArgumentException($"{outChannels} output channels cannot be shared out among {count} secondary filters of each primary filter.")
            : filters.ChannelsLeftOut >= inChannels
            ? throw new ArgumentException($"Of {inChannels} input channels a filter cannot leave out {filters.ChannelsLeftOut}.")
            : filters.Borders(kernelSize).Max() > padding
            ? throw new ArgumentException(
                $"A versatile layer of {kernelSize}x{kernelSize} needs a padding of {filters.Borders(kernelSize).Max()}, not {padding}, so that its smallest filters see what the largest see.")
            : (inChannels - filters.ChannelsLeftOut, outChannels / count);
    }

    /// <inheritdoc/>
    public override Tensor forward(Tensor input)
    {
        using var scope = NewDisposeScope();
        int seen = Seen;
        return cat([.. Secondary.Select(s => Output(input.narrow(1, s.Start, seen), s.Border))], 1).MoveToOuterDisposeScope();
    }

    private Tensor Output(Tensor input, int border) => (border, primary) switch
    {
        (0, _) => primary.call(input), // So that hooks see it.
        (_, Adder2d adder) => adder.Compare(input, border),
        (_, Conv2d convolution) => Convolve(input, convolution, border),
        _ => throw new InvalidOperationException($"A {primary.GetType().Name} has no filters that can be shared."),
    };

    private static Tensor Convolve(Tensor input, Conv2d convolution, int border)
    {
        Tensor weights = convolution.weight![.., .., border..^border, border..^border];
        return nn.functional.conv2d(
            SkippedPixels.Ordered(input, weights, convolution.stride), weights, null, convolution.stride,
            [.. convolution.padding!.Select(padding => padding - border)]);
    }
}
