using AdderNet.Graph;
using TorchSharp;
using static TorchSharp.torch;

namespace AdderNet.Training.Detection;

/// <summary>What a batch's losses are divided by.</summary>
/// <param name="Places">Places that are to find something.</param>
/// <param name="Centreness">The sum of their targets' centre-ness.</param>
internal readonly record struct FcosTotals(double Places, double Centreness)
{
    /// <summary>Those of some targets.</summary>
    public static FcosTotals Of(FcosTargets targets) => new(targets.Places.Length, targets.Centreness.Sum());
}

/// <summary>
/// FCOS's losses: focal loss of the classes (alpha 0.25, gamma 2), generalized IoU of the boxes, weighted by centre-ness, and
/// cross-entropy of the centre-ness.
/// </summary>
/// <param name="Classes">The focal loss, a place that is to find something.</param>
/// <param name="Boxes">1 - GIoU.</param>
/// <param name="Centres">The cross-entropy.</param>
internal sealed record FcosLoss(Tensor Classes, Tensor Boxes, Tensor Centres)
{
    private const double Alpha = 0.25;

    /// <summary>All three together.</summary>
    public Tensor Sum() => Classes.Plus(Boxes).Plus(Centres);

    /// <summary>The losses of a batch, or of a part of one.</summary>
    /// <param name="rows">What the detector gives, [N, ...].</param>
    /// <param name="grid">Its places.</param>
    /// <param name="targets">What they should find.</param>
    /// <param name="whole">What the losses are divided by where this is a part of a batch; null for the part's own.</param>
    public static FcosLoss Of(Tensor rows, FcosGrid grid, FcosTargets targets, FcosTotals? whole = null)
    {
        FcosTotals all = whole ?? FcosTotals.Of(targets);
        (double places, double middles) = (Math.Max(1, all.Places), Math.Max(1e-6, all.Centreness));
        long images = rows.shape[0];
        Tensor values = cat(
            [.. grid.Maps.Select(map => rows.narrow(1, (long)map.First * grid.Values, (long)map.Rows * map.Columns * grid.Values)
                .view(images, grid.Values, map.Rows * map.Columns).transpose(1, 2))], 1).reshape(-1, grid.Values);
        long[] own = targets.Places;
        Tensor classes = Focal(
            values.narrow(1, 0, grid.Classes), tensor(targets.Scores, [values.shape[0], grid.Classes]),
            tensor(targets.Weights, [values.shape[0], 1])).Over(places);
        if (own.Length == 0)
        {
            // Zero, but with a gradient of zero to every parameter.
            Tensor nothing = values.narrow(1, grid.Classes, 5).sum().Times(0);
            return new FcosLoss(classes, nothing, nothing);
        }

        Tensor found = values.index_select(0, tensor(own)), centreness = tensor(targets.Centreness);
        using Scalar most = Arithmetic.Number(BoxDecoding.MostLogarithm);
        Tensor overlap = GeneralizedIoU(
            found.narrow(1, grid.Classes, 4).clamp_max(most).exp(), tensor(targets.Distances, [own.Length, 4]));
        return new FcosLoss(
            classes, (overlap.FromOne() * centreness).sum().Over(middles),
            nn.functional.binary_cross_entropy_with_logits(found.select(1, grid.Classes + 4), centreness, reduction: nn.Reduction.Sum).Over(places));
    }

    private static Tensor Focal(Tensor logits, Tensor targets, Tensor weights)
    {
        Tensor p = logits.sigmoid();
        Tensor entropy = nn.functional.binary_cross_entropy_with_logits(logits, targets, reduction: nn.Reduction.None);
        Tensor others = targets.FromOne();
        Tensor wrong = (p * others).Plus(p.FromOne() * targets), alpha = targets.Times(Alpha).Plus(others.Times(1 - Alpha));
        return (alpha * wrong.Squared() * entropy * weights).sum();
    }

    /// <summary>
    /// IoU less the share of the smallest common box that neither has, of boxes by their distances from one point, [P, 4] (l, t, r, b).
    /// </summary>
    internal static Tensor GeneralizedIoU(Tensor a, Tensor b)
    {
        Tensor common = Area(minimum(a, b)), around = Area(maximum(a, b)), union = Area(a).Plus(Area(b)) - common;
        return common / union - (around - union) / around;

        static Tensor Area(Tensor d) => d.select(1, 0).Plus(d.select(1, 2)) * d.select(1, 1).Plus(d.select(1, 3));
    }
}
