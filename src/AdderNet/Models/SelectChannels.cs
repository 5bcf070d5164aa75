using TorchSharp;
using static TorchSharp.torch;

namespace AdderNet.Models;

/// <summary>Some of the input's channels, in any order.</summary>
internal sealed class SelectChannels : nn.Module<Tensor, Tensor>
{
    /// <param name="channels">The input channel of each output channel.</param>
    public SelectChannels(IReadOnlyList<int> channels)
        : base(nameof(SelectChannels)) => Channels = channels;

    /// <summary>
    /// All channels moved on by some, the last coming in again as the first: the channel shift, which brings channels into the next group as a
    /// pointer moved (Zhong et al., "Shift-based Primitives for Efficient Convolutional Neural Networks", 2018).
    /// </summary>
    /// <param name="channels">Channels of the input.</param>
    /// <param name="by">How far.</param>
    public static SelectChannels Rotated(long channels, long by) =>
        new([.. Enumerable.Range(0, (int)channels).Select(c => (int)((c - by + channels) % channels))]);

    /// <summary>The input channel of each output channel.</summary>
    public IReadOnlyList<int> Channels { get; }

    public override Tensor forward(Tensor input)
    {
        using var scope = NewDisposeScope();
        List<Tensor> parts = [];
        for (int from = 0, to; from < Channels.Count; from = to)
        {
            for (to = from + 1; to < Channels.Count && Channels[to] == Channels[to - 1] + 1;)
            {
                to++;
            }

            parts.Add(input.narrow(1, Channels[from], to - from));
        }

        return cat(parts, 1).MoveToOuterDisposeScope();
    }
}
