using AdderNet.Data.Detection;

namespace AdderNet.Training.Detection;

/// <summary>
/// What objects of each class were taken for: a row a class and one of background, of which nothing should have been found; a column a
/// class and one of nothing found. Pairs of detections and objects of any classes are made by overlap, largest first.
/// </summary>
/// <param name="classes">Number of classes.</param>
/// <param name="leastScore">Detections below it are left out.</param>
/// <param name="leastIoU">Pairs that overlap less are none.</param>
public sealed class ConfusionMatrix(int classes, double leastScore, double leastIoU = 0.5)
{
    private readonly long[,] counts = new long[classes + 1, classes + 1];

    /// <summary>Detections below it are left out.</summary>
    public double LeastScore => leastScore;

    /// <summary>Objects of a class (or background, the last row) taken for a class (or missed, the last column).</summary>
    public long this[int truth, int found] => counts[truth, found];

    /// <summary>Adds an image.</summary>
    public void Add(IReadOnlyList<LabelledBox> truth, IReadOnlyList<FoundBox> found)
    {
        ArgumentNullException.ThrowIfNull(truth);
        ArgumentNullException.ThrowIfNull(found);
        FoundBox[] sure = [.. found.Where(f => f.Score >= leastScore)];
        bool[] usedTruth = new bool[truth.Count], usedFound = new bool[sure.Length];
        foreach (var (t, f, _) in (from t in Enumerable.Range(0, truth.Count)
                                   from f in Enumerable.Range(0, sure.Length)
                                   let iou = truth[t].Box.IoU(sure[f].Box)
                                   where iou >= leastIoU
                                   orderby iou descending
                                   select (t, f, iou)))
        {
            if (!usedTruth[t] && !usedFound[f])
            {
                (usedTruth[t], usedFound[f]) = (true, true);
                counts[truth[t].Class, sure[f].Class] += truth[t].IsIgnored ? 0 : 1;
            }
        }

        for (int t = 0; t < truth.Count; t++)
        {
            counts[truth[t].Class, classes] += usedTruth[t] || truth[t].IsIgnored ? 0 : 1;
        }

        for (int f = 0; f < sure.Length; f++)
        {
            bool inCrowd = truth.Any(t => t.IsCrowd && t.Box.Overlap(sure[f].Box) >= leastIoU * sure[f].Box.Area);
            counts[classes, sure[f].Class] += usedFound[f] || inCrowd ? 0 : 1;
        }
    }
}
