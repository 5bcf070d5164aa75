using TorchSharp;
using static TorchSharp.torch;

namespace AdderNet.Models;

/// <summary>
/// Moves channels by at most one row and one column, zeros coming in at the border: groups of as many channels as can be for each of the nine
/// directions, the channels that are left staying where they are (Wu et al., "Shift: A Zero FLOP, Zero Parameter Alternative to Spatial
/// Convolutions", CVPR 2018). It takes no arithmetic at all.
/// </summary>
internal sealed class Shift : nn.Module<Tensor, Tensor>
{
    private const int Directions = 9;

    /// <param name="channels">Channels of the input [N, C, H, W].</param>
    public Shift(long channels)
        : base(nameof(Shift))
    {
        int group = (int)channels / Directions;
        int[] directions = [.. Enumerable.Range(0, (int)channels).Select(c => c < group * Directions ? c / group : Directions / 2)];
        (Rows, Columns) = (Array.ConvertAll(directions, d => d / 3 - 1), Array.ConvertAll(directions, d => d % 3 - 1));
    }

    /// <summary>How many rows below itself each channel's pixel reads, [C].</summary>
    public IReadOnlyList<int> Rows { get; }

    /// <summary>How many columns to the right of itself each channel's pixel reads, [C].</summary>
    public IReadOnlyList<int> Columns { get; }

    public override Tensor forward(Tensor input)
    {
        using var scope = NewDisposeScope();
        long height = input.shape[2], width = input.shape[3];
        Tensor padded = nn.functional.pad(input, [1, 1, 1, 1]);
        List<Tensor> moved = [];
        for (int from = 0, to; from < Rows.Count; from = to)
        {
            for (to = from; to < Rows.Count && (Rows[to], Columns[to]) == (Rows[from], Columns[from]);)
            {
                to++;
            }

            moved.Add(padded.narrow(1, from, to - from).narrow(2, 1 + Rows[from], height).narrow(3, 1 + Columns[from], width));
        }

        return cat(moved, 1).MoveToOuterDisposeScope();
    }
}
