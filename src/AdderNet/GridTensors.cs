using AdderNet.Graph;
using static TorchSharp.torch;

namespace AdderNet;

/// <summary>Tensors on the grid that inputs and filters of a quantized adder layer share: codes 0 to the top for 0 to the largest value.</summary>
internal static class GridTensors
{
    /// <summary>The values that the codes of <paramref name="x"/> stand for: clamped, and rounded to whole steps. It has no gradient.</summary>
    public static Tensor Rounded(Tensor x, Grid grid) =>
        x.detach().Times(1 / grid.Step).Add(0.5).floor_().Clamp(0, grid.Top).Scale(grid.Step);

    /// <summary>
    /// The same, which the gradient passes as if nothing were rounded (the straight-through estimator): as it is where the value lies within
    /// the grid, and not at all where it was clamped.
    /// </summary>
    public static Tensor StraightThrough(Tensor x, Grid grid)
    {
        Tensor clamped = x.Clamped(0, grid.Value(grid.Top));
        // Subtracted first, so that the zero is exact.
        return (clamped - clamped.detach()).Add(Rounded(x, grid));
    }

    /// <summary>What clamping takes from filters [O, ...]: the sum of |w - clamp(w)| of each, which no input changes; [O], without gradient.</summary>
    public static Tensor Outside(Tensor filters, Grid grid)
    {
        Tensor w = filters.detach();
        return (w - w.Clamped(0, grid.Value(grid.Top))).abs_().flatten(1).sum(1);
    }
}
