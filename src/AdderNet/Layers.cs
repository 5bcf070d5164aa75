using TorchSharp;

namespace AdderNet;

/// <summary>Factory functions for layers, as in <c>torch.nn</c>.</summary>
public static class Layers
{
    /// <summary>An adder layer: Y = -sum |X - F| over each window (equation 2 of the paper).</summary>
    /// <param name="inChannels">Channels of the input [N, inChannels, H, W].</param>
    /// <param name="outChannels">Channels of the output [N, outChannels, H', W']: the number of filters.</param>
    /// <param name="kernelSize">Rows and columns of a filter.</param>
    /// <param name="stride">Pixels from one window to the next.</param>
    /// <param name="padding">Pixels of zeros on each side; they take part in the distance as X = 0.</param>
    /// <param name="dilation">Pixels between two taps of a filter.</param>
    /// <param name="groups">Groups of channels that see only each other.</param>
    /// <param name="bias">Adds a learned value to each output channel. The paper's layers have none, since BatchNorm follows.</param>
    /// <param name="gradient">The gradient the filters get.</param>
    /// <param name="inputGradient">The gradient that goes on to the input.</param>
    /// <exception cref="ArgumentException">A size is below 1, a padding below 0, or the channels are no multiples of the groups.</exception>
    public static Adder2d Adder2d(
        long inChannels, long outChannels, long kernelSize, long stride = 1, long padding = 0, long dilation = 1, long groups = 1,
        bool bias = false, WeightGradient gradient = WeightGradient.FullPrecision, InputGradient inputGradient = InputGradient.Clipped) =>
        new(inChannels, outChannels, (kernelSize, kernelSize), (stride, stride), (padding, padding), (dilation, dilation), groups, bias, gradient, inputGradient);

    /// <summary>An adder layer whose filters, steps or borders differ between rows and columns; each pair is (rows, columns).</summary>
    /// <inheritdoc cref="Adder2d(long, long, long, long, long, long, long, bool, WeightGradient, InputGradient)"/>
    public static Adder2d Adder2d(
        long inChannels, long outChannels, (long, long) kernelSize, (long, long)? stride = null, (long, long)? padding = null,
        (long, long)? dilation = null, long groups = 1, bool bias = false, WeightGradient gradient = WeightGradient.FullPrecision, InputGradient inputGradient = InputGradient.Clipped) =>
        new(inChannels, outChannels, kernelSize, stride ?? (1, 1), padding ?? (0, 0), dilation ?? (1, 1), groups, bias, gradient, inputGradient);

    /// <summary>An adder layer of versatile filters.</summary>
    /// <param name="filters">The secondary filters of each primary filter.</param>
    /// <param name="inChannels">Channels of the input [N, inChannels, H, W].</param>
    /// <param name="outChannels">Channels of the output [N, outChannels, H', W']: a multiple of the secondary filters of a primary filter.</param>
    /// <param name="kernelSize">Rows and columns of a primary filter.</param>
    /// <param name="stride">Pixels from one window to the next.</param>
    /// <param name="padding">Pixels of zeros on each side; as many at least as the smallest secondary filter lacks.</param>
    /// <param name="gradient">The gradient the filters get.</param>
    /// <param name="inputGradient">The gradient that goes on to the input.</param>
    /// <exception cref="ArgumentException">The sizes make no such layer.</exception>
    public static Versatile2d VersatileAdder2d(
        VersatileFilters filters, long inChannels, long outChannels, long kernelSize, long stride = 1, long padding = 0,
        WeightGradient gradient = WeightGradient.FullPrecision, InputGradient inputGradient = InputGradient.Clipped)
    {
        ArgumentNullException.ThrowIfNull(filters);
        (long seen, long primary) = Versatile2d.PrimarySize(filters, inChannels, outChannels, kernelSize, padding);
        return new(Adder2d(seen, primary, kernelSize, stride, padding, gradient: gradient, inputGradient: inputGradient), filters);
    }

    /// <summary>A convolution of versatile filters, without a bias.</summary>
    /// <inheritdoc cref="VersatileAdder2d"/>
    public static Versatile2d VersatileConv2d(
        VersatileFilters filters, long inChannels, long outChannels, long kernelSize, long stride = 1, long padding = 0)
    {
        ArgumentNullException.ThrowIfNull(filters);
        (long seen, long primary) = Versatile2d.PrimarySize(filters, inChannels, outChannels, kernelSize, padding);
        return new(torch.nn.Conv2d(seen, primary, kernelSize, stride: stride, padding: padding, bias: false).Ordered(), filters);
    }
}
