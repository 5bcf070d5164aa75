using AdderNet.Data.Detection;

namespace AdderNet.Training.Detection;

/// <summary>How well one class is found, or all of them on average.</summary>
/// <param name="Name">The class, or "all".</param>
/// <param name="Images">Images with an object of it that counts.</param>
/// <param name="Instances">Such objects.</param>
/// <param name="Precision">Share of the detections that are right, at the score of the best F1 and an IoU of 0.5; null without
/// instances.</param>
/// <param name="Recall">Share of the objects found there; null without instances.</param>
/// <param name="Map50">COCO's average precision at an IoU of 0.5; null without instances.</param>
/// <param name="Map">COCO's average precision, the mean over IoUs of 0.5, 0.55, ... 0.95; null without instances.</param>
public sealed record ClassScores(string Name, int Images, int Instances, double? Precision, double? Recall, double? Map50, double? Map);

/// <summary>What a detector reaches over a data set.</summary>
/// <param name="All">The mean over classes.</param>
/// <param name="Classes">Each class.</param>
/// <param name="Map75">COCO's mean average precision at an IoU of 0.75.</param>
/// <param name="BySize">COCO's mean average precision of small, medium and large objects; null where there are none.</param>
/// <param name="Recall100">COCO's average recall with up to 100 detections an image and class.</param>
/// <param name="VocArea">Pascal VOC's mean average precision since 2010, at an IoU of 0.5.</param>
/// <param name="Voc11Points">Pascal VOC's mean average precision until 2009.</param>
public sealed record DetectionScores(
    ClassScores All, IReadOnlyList<ClassScores> Classes, double? Map75, IReadOnlyList<(string Size, double? Map)> BySize, double? Recall100,
    double? VocArea, double? Voc11Points);

/// <summary>Collects what is in images and what was found, and works out average precisions.</summary>
/// <param name="classNames">The classes.</param>
public sealed class DetectionMeter(IReadOnlyList<string> classNames)
{
    /// <summary>Detections of an image and class that count, those of the best scores.</summary>
    public const int MostDetections = 100;

    private static readonly double[] IoUs = [.. Enumerable.Range(0, 10).Select(i => 0.5 + 0.05 * i)];

    private readonly ClassMatches[] classes = [.. classNames.Select(_ => new ClassMatches())];

    /// <summary>Images so far.</summary>
    public int Count { get; private set; }

    /// <summary>Adds an image.</summary>
    /// <param name="truth">What is in it.</param>
    /// <param name="found">What was found.</param>
    public void Add(IReadOnlyList<LabelledBox> truth, IReadOnlyList<FoundBox> found)
    {
        ArgumentNullException.ThrowIfNull(truth);
        ArgumentNullException.ThrowIfNull(found);
        for (int c = 0; c < classes.Length; c++)
        {
            classes[c].Add([.. truth.Where(t => t.Class == c)], found.Where(f => f.Class == c), MostDetections);
        }

        Count++;
    }

    /// <summary>The curve of a class at an IoU of 0.5, by COCO's rules.</summary>
    public PrecisionRecall Curve(int label) => classes[label].Coco(0.5, AreaRange.All);

    /// <summary>mAP50 and mAP50-95 over all classes; 0 without instances.</summary>
    public (double Map50, double Map) Map()
    {
        double?[] at50 = [.. classes.Select(c => Ap(c, 0.5, AreaRange.All))], mean = [.. classes.Select(c => MeanAp(c, AreaRange.All))];
        return (Mean(at50) ?? 0, Mean(mean) ?? 0);
    }

    /// <summary>All that is measured.</summary>
    public DetectionScores Scores()
    {
        ClassScores[] rows = [.. classes.Zip(classNames, (matches, name) =>
        {
            PrecisionRecall curve = matches.Coco(0.5, AreaRange.All);
            (float, double Precision, double Recall)? best = matches.Instances == 0 ? null : curve.BestF1 ?? (0, 0, 0);
            return new ClassScores(
                name, matches.Images, matches.Instances, best?.Precision, best?.Recall, curve.HundredAndOnePoints,
                MeanAp(matches, AreaRange.All));
        })];
        ClassScores all = new(
            "all", Count, rows.Sum(r => r.Instances), Mean(rows.Select(r => r.Precision)), Mean(rows.Select(r => r.Recall)),
            Mean(rows.Select(r => r.Map50)), Mean(rows.Select(r => r.Map)));
        PrecisionRecall[] voc = [.. classes.Select(c => c.Voc())];
        return new DetectionScores(
            all, rows, Mean(classes.Select(c => Ap(c, 0.75, AreaRange.All))),
            [.. AreaRange.Sizes.Select(size => (size.Name, Mean(classes.Select(c => MeanAp(c, size)))))],
            Mean(classes.SelectMany(c => IoUs.Select(iou => c.Coco(iou, AreaRange.All).Recall))),
            Mean(voc.Select(v => v.AreaUnderCurve)), Mean(voc.Select(v => v.ElevenPoints)));
    }

    private static double? Ap(ClassMatches matches, double iou, AreaRange range) => matches.Coco(iou, range).HundredAndOnePoints;

    private static double? MeanAp(ClassMatches matches, AreaRange range) => Mean(IoUs.Select(iou => Ap(matches, iou, range)));

    // Classes without an object to find have no average precision, and no part in the mean.
    private static double? Mean(IEnumerable<double?> values) => values.Average();
}
