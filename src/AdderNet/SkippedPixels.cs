using TorchSharp.Modules;
using static TorchSharp.torch;

namespace AdderNet;

/// <summary>
/// Layers of 1x1 that skip pixels of few channels, as a shortcut that halves a narrow map does. Where the map's channels lie behind each other,
/// as in what adder layers give, libtorch computes the weight gradient of such a convolution (by oneDNN's <c>jit_1x1</c>) past the end of its
/// memory: it crashes, or the gradient is wrong (https://github.com/uxlfoundation/oneDNN/issues/6035; up to oneDNN 3.7 in libtorch 2.10 at least).
/// </summary>
internal static class SkippedPixels
{
    /// <summary>Channels in a register of AVX-512: maps of this many and more are computed rightly.</summary>
    private const int RegisterChannels = 16;

    /// <summary>Whether it is such a layer.</summary>
    /// <param name="channels">Input channels of a group.</param>
    /// <param name="kernel">Rows and columns of a filter.</param>
    /// <param name="stride">Rows and columns from one window to the next.</param>
    public static bool OfFewChannels(long channels, ReadOnlySpan<long> kernel, ReadOnlySpan<long> stride) =>
        channels < RegisterChannels && !kernel.ContainsAnyExcept(1L) && stride.ContainsAnyExcept(1L);

    /// <summary>The input of a convolution with these weights [O, C / groups, kernel rows, kernel columns], in an order that libtorch can bear.</summary>
    public static Tensor Ordered(Tensor input, Tensor weights, ReadOnlySpan<long> stride) =>
        OfFewChannels(weights.shape[1], weights.shape.AsSpan(2), stride) ? ChannelsFirst(input) : input;

    /// <summary>The convolution, which gets its input in such an order.</summary>
    public static Conv2d Ordered(this Conv2d layer)
    {
        if (OfFewChannels(layer.in_channels / layer.groups, layer.kernel_size, layer.stride))
        {
            layer.register_forward_pre_hook((_, input) => ChannelsFirst(input));
        }

        return layer;
    }

    /// <summary>Not contiguous(): the strides of a single channel are those of either order, of which libtorch takes the wrong one.</summary>
    private static Tensor ChannelsFirst(Tensor input) => input.flatten(1).view(input.shape);
}
