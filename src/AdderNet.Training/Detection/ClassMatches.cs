using AdderNet.Data.Detection;

namespace AdderNet.Training.Detection;

/// <summary>Which objects count by their size.</summary>
/// <param name="Name">What it is called.</param>
/// <param name="Least">Fewest pixels.</param>
/// <param name="Most">Most pixels.</param>
internal sealed record AreaRange(string Name, double Least, double Most)
{
    /// <summary>Objects of every size.</summary>
    public static AreaRange All { get; } = new("all", 0, 1e10);

    /// <summary>COCO's three sizes.</summary>
    public static IReadOnlyList<AreaRange> Sizes { get; } =
        [new("small", 0, 32 * 32), new("medium", 32 * 32, 96 * 96), new("large", 96 * 96, 1e10)];

    public bool Has(double area) => area >= Least && area <= Most;
}

/// <summary>
/// The objects of one class in all images beside what was found of it: who found what, by the rules of Pascal VOC and of COCO.
/// </summary>
internal sealed class ClassMatches
{
    private readonly List<Picture> pictures = [];

    /// <summary>Objects that count.</summary>
    public int Instances { get; private set; }

    /// <summary>Images with such an object.</summary>
    public int Images { get; private set; }

    /// <summary>Adds an image.</summary>
    /// <param name="truth">Its objects of this class.</param>
    /// <param name="found">What was found of this class.</param>
    /// <param name="most">Most detections that count: those with the best scores.</param>
    public void Add(LabelledBox[] truth, IEnumerable<FoundBox> found, int most)
    {
        // OrderBy is stable: of equal scores the first comes first, as in the official codes.
        FoundBox[] best = [.. found.OrderByDescending(f => f.Score).Take(most)];
        if (truth.Length > 0 || best.Length > 0)
        {
            int counting = truth.Count(t => !t.IsIgnored);
            (Instances, Images) = (Instances + counting, Images + (counting > 0 ? 1 : 0));
            pictures.Add(new Picture(truth, best));
        }
    }

    /// <summary>
    /// Pascal VOC's rules: a detection belongs to the object it overlaps most. It is right where the overlap is large enough and nobody
    /// better has found that object; of a difficult object it counts for nothing.
    /// </summary>
    /// <param name="leastIoU">Least intersection over union of a hit.</param>
    public PrecisionRecall Voc(double leastIoU = 0.5)
    {
        var taken = pictures.ToDictionary(p => p, p => new bool[p.Truth.Length]);
        List<(float Score, bool Hit)> counted = [];
        var all = pictures.SelectMany(p => Enumerable.Range(0, p.Found.Length).Select(i => (Picture: p, Index: i)));
        foreach (var (picture, i) in all.OrderByDescending(f => f.Picture.Found[f.Index].Score))
        {
            int most = -1;
            for (int t = 0; t < picture.Truth.Length; t++)
            {
                most = most < 0 || picture.IoU[i, t] > picture.IoU[i, most] ? t : most;
            }

            bool overlaps = most >= 0 && picture.IoU[i, most] >= leastIoU;
            if (!overlaps || !picture.Truth[most].IsIgnored)
            {
                counted.Add((picture.Found[i].Score, overlaps && !taken[picture][most]));
                if (overlaps)
                {
                    taken[picture][most] = true;
                }
            }
        }

        return new PrecisionRecall(Instances, [.. counted.Select(c => c.Score)], [.. counted.Select(c => c.Hit)]);
    }

    /// <summary>
    /// COCO's rules (pycocotools' evaluateImg and accumulate): detections in the order of their scores each take the free object that they
    /// overlap most, ignored ones only where no other is left; crowds are never used up.
    /// </summary>
    /// <param name="leastIoU">Least intersection over union of a hit; for crowds, over the detection's own area.</param>
    /// <param name="range">Which sizes count; objects of other sizes, and detections of other sizes that hit nothing, count for
    /// nothing.</param>
    public PrecisionRecall Coco(double leastIoU, AreaRange range)
    {
        int positives = 0;
        List<(float Score, bool Hit)> counted = [];
        foreach (Picture picture in pictures)
        {
            int[] order = [.. Enumerable.Range(0, picture.Truth.Length).OrderBy(t => Ignored(picture.Truth[t]))];
            bool[] taken = new bool[picture.Truth.Length];
            positives += order.Count(t => !Ignored(picture.Truth[t]));
            for (int i = 0; i < picture.Found.Length; i++)
            {
                int match = Match(picture, i, order, taken);
                if (match >= 0)
                {
                    taken[match] = true;
                }

                if (match >= 0 ? !Ignored(picture.Truth[match]) : range.Has(picture.Found[i].Box.Area))
                {
                    counted.Add((picture.Found[i].Score, match >= 0));
                }
            }
        }

        (float Score, bool Hit)[] sorted = [.. counted.OrderByDescending(c => c.Score)];
        return new PrecisionRecall(positives, [.. sorted.Select(c => c.Score)], [.. sorted.Select(c => c.Hit)]);

        bool Ignored(LabelledBox truth) => truth.IsIgnored || !range.Has(truth.Area);

        int Match(Picture picture, int i, int[] order, bool[] taken)
        {
            int match = -1;
            double best = Math.Min(leastIoU, 1 - 1e-10);
            foreach (int t in order)
            {
                if (taken[t] && !picture.Truth[t].IsCrowd)
                {
                    continue;
                }

                if (match >= 0 && !Ignored(picture.Truth[match]) && Ignored(picture.Truth[t]))
                {
                    break;
                }

                if (picture.IoU[i, t] >= best)
                {
                    (best, match) = (picture.IoU[i, t], t);
                }
            }

            return match;
        }
    }

    private sealed class Picture
    {
        public Picture(LabelledBox[] truth, FoundBox[] found)
        {
            (Truth, Found) = (truth, found);
            IoU = new double[found.Length, truth.Length];
            for (int i = 0; i < found.Length; i++)
            {
                for (int t = 0; t < truth.Length; t++)
                {
                    IoU[i, t] = Overlap(found[i].Box, truth[t]);
                }
            }
        }

        public LabelledBox[] Truth { get; }

        public FoundBox[] Found { get; }

        public double[,] IoU { get; }

        // In double precision, so that overlaps of exactly a half and the like are told from those just below.
        private static double Overlap(Box found, LabelledBox truth)
        {
            Box t = truth.Box;
            double width = Math.Min((double)found.X1, t.X1) - Math.Max(found.X0, t.X0);
            double height = Math.Min((double)found.Y1, t.Y1) - Math.Max(found.Y0, t.Y0);
            double common = Math.Max(0, width) * Math.Max(0, height), own = Area(found);
            double all = truth.IsCrowd ? own : own + Area(t) - common;
            return all > 0 ? common / all : 0;
        }

        private static double Area(Box box) => ((double)box.X1 - box.X0) * ((double)box.Y1 - box.Y0);
    }
}
