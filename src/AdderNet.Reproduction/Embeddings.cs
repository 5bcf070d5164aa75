using System.Numerics;

namespace AdderNet.Reproduction;

/// <summary>Points in the plane and their classes.</summary>
internal sealed record Embeddings(IReadOnlyList<Vector2> Points, IReadOnlyList<int> Labels)
{
    /// <summary>The mean of each class's points, from class 0; (NaN, NaN) for a class without any.</summary>
    public Vector2[] Centres(int classes)
    {
        var sums = new (double X, double Y, int Count)[classes];
        for (int i = 0; i < Points.Count; i++)
        {
            ref var sum = ref sums[Labels[i]];
            sum = (sum.X + Points[i].X, sum.Y + Points[i].Y, sum.Count + 1);
        }

        return [.. sums.Select(s => new Vector2((float)(s.X / s.Count), (float)(s.Y / s.Count)))];
    }

    /// <summary>Share of the points whose own centre is the one at the smallest L1 distance.</summary>
    public double NearestByL1(IReadOnlyList<Vector2> centres) =>
        Accuracy(centres, static (p, c) => Math.Abs(p.X - c.X) + Math.Abs(p.Y - c.Y));

    /// <summary>Share of the points whose own centre is the one at the smallest angle, both seen from the origin.</summary>
    public double NearestByAngle(IReadOnlyList<Vector2> centres) =>
        Accuracy(centres, static (p, c) => -(p.X * c.X + p.Y * c.Y) / Math.Max(p.Length() * c.Length(), 1e-12));

    private double Accuracy(IReadOnlyList<Vector2> centres, Func<Vector2, Vector2, double> distance)
    {
        // A class without points has no centre, and NaN would win every comparison of MinBy.
        int[] classes = [.. Enumerable.Range(0, centres.Count).Where(c => float.IsFinite(centres[c].X))];
        int right = Enumerable.Range(0, Points.Count).Count(i => classes.MinBy(c => distance(Points[i], centres[c])) == Labels[i]);
        return (double)right / Points.Count;
    }
}
