using TorchSharp;
using static TorchSharp.torch;

namespace AdderNet.Models;

/// <summary>Moves each channel by some rows and columns, zeros coming in at the border. It takes no arithmetic at all.</summary>
internal sealed class Shift : nn.Module<Tensor, Tensor>
{
    /// <param name="rows">How many rows below itself each channel's pixel reads, [C].</param>
    /// <param name="columns">How many columns to the right of itself, [C].</param>
    public Shift(IReadOnlyList<int> rows, IReadOnlyList<int> columns)
        : base(nameof(Shift)) => (Rows, Columns) = (rows, columns);

    /// <summary>
    /// Groups of as many channels as can be for each of the nine directions of at most one row and one column, the channels that are left staying
    /// where they are (Wu et al., "Shift: A Zero FLOP, Zero Parameter Alternative to Spatial Convolutions", CVPR 2018).
    /// </summary>
    /// <param name="channels">Channels of the input [N, C, H, W].</param>
    public static Shift Nine(long channels) => Towards(channels, 4, [.. Enumerable.Range(0, 9).Select(d => (d / 3 - 1, d % 3 - 1))]);

    /// <summary>
    /// A quarter of the channels up, down, left and right: the address shift, which is a pointer moved by one pixel or one row (Zhong et al.,
    /// "Shift-based Primitives for Efficient Convolutional Neural Networks", 2018). What such a pointer reads of the neighbouring row is 0 here.
    /// </summary>
    /// <inheritdoc cref="Nine"/>
    public static Shift Four(long channels) => Towards(channels, null, [(-1, 0), (1, 0), (0, -1), (0, 1)]);

    /// <summary>How many rows below itself each channel's pixel reads, [C].</summary>
    public IReadOnlyList<int> Rows { get; }

    /// <summary>How many columns to the right of itself each channel's pixel reads, [C].</summary>
    public IReadOnlyList<int> Columns { get; }

    public override Tensor forward(Tensor input)
    {
        using var scope = NewDisposeScope();
        long height = input.shape[2], width = input.shape[3];
        int farthest = Rows.Concat(Columns).Max(Math.Abs);
        Tensor padded = nn.functional.pad(input, [farthest, farthest, farthest, farthest]);
        List<Tensor> moved = [];
        for (int from = 0, to; from < Rows.Count; from = to)
        {
            for (to = from; to < Rows.Count && (Rows[to], Columns[to]) == (Rows[from], Columns[from]);)
            {
                to++;
            }

            moved.Add(padded.narrow(1, from, to - from).narrow(2, farthest + Rows[from], height).narrow(3, farthest + Columns[from], width));
        }

        return cat(moved, 1).MoveToOuterDisposeScope();
    }

    /// <param name="channels">Channels.</param>
    /// <param name="rest">The direction of those that cannot be shared out evenly; null for the last.</param>
    /// <param name="directions">Rows and columns.</param>
    private static Shift Towards(long channels, int? rest, (int Row, int Column)[] directions)
    {
        int group = (int)channels / directions.Length;
        (int Row, int Column)[] of = [.. Enumerable.Range(0, (int)channels).Select(c =>
            directions[c < group * directions.Length ? c / group : rest ?? directions.Length - 1])];
        return new Shift(Array.ConvertAll(of, d => d.Row), Array.ConvertAll(of, d => d.Column));
    }
}
