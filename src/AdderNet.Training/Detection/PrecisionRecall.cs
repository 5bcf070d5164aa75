namespace AdderNet.Training.Detection;

/// <summary>
/// How precision falls while recall grows, as detections are taken in the order of their scores, best first: a point a detection that
/// counts.
/// </summary>
/// <param name="Positives">Objects that there are to find.</param>
/// <param name="Scores">The score of each detection.</param>
/// <param name="Hits">Whether it is right.</param>
public sealed record PrecisionRecall(int Positives, IReadOnlyList<float> Scores, IReadOnlyList<bool> Hits)
{
    private readonly (double Precision, double Recall)[] points = Points(Positives, Hits);

    /// <summary>Precision and recall after each detection.</summary>
    public IReadOnlyList<(double Precision, double Recall)> Curve => points;

    /// <summary>The share of the objects that are found by all detections together; null where there are none to find.</summary>
    public double? Recall => Positives == 0 ? null : points.Length == 0 ? 0 : points[^1].Recall;

    /// <summary>
    /// Average precision as Pascal VOC computes it since 2010: the area under the curve whose precision at a recall is the best at that
    /// recall or any larger one. Null where there is no object to find.
    /// </summary>
    public double? AreaUnderCurve
    {
        get
        {
            if (Positives == 0)
            {
                return null;
            }

            double[] best = Envelope();
            double area = 0, before = 0;
            for (int i = 0; i < points.Length; i++)
            {
                area += (points[i].Recall - before) * best[i];
                before = points[i].Recall;
            }

            return area;
        }
    }

    /// <summary>
    /// Average precision as Pascal VOC computed it until 2009: the mean of the best precision at a recall of at least 0, 0.1, ... 1.
    /// </summary>
    public double? ElevenPoints => Sampled(11);

    /// <summary>Average precision as COCO computes it: the mean of the best precision at a recall of at least 0, 0.01, ... 1.</summary>
    public double? HundredAndOnePoints => Sampled(101);

    /// <summary>
    /// The score at which the harmonic mean of precision and recall (F1) is the largest, with both there; null where nothing is right.
    /// </summary>
    public (float Score, double Precision, double Recall)? BestF1
    {
        get
        {
            int best = -1;
            double largest = 0;
            for (int i = 0; i < points.Length; i++)
            {
                (double precision, double recall) = points[i];
                double f1 = precision + recall > 0 ? 2 * precision * recall / (precision + recall) : 0;
                (best, largest) = f1 > largest ? (i, f1) : (best, largest);
            }

            return best < 0 ? null : (Scores[best], points[best].Precision, points[best].Recall);
        }
    }

    private double? Sampled(int samples)
    {
        if (Positives == 0)
        {
            return null;
        }

        double[] best = Envelope();
        double sum = 0;
        int at = 0;
        for (int i = 0; i < samples; i++)
        {
            // Recalls are multiples of 1 / positives; a sample that is one of them, but for rounding, is reached.
            double wanted = (double)i / (samples - 1) - 1e-12;
            while (at < points.Length && points[at].Recall < wanted)
            {
                at++;
            }

            sum += at < points.Length ? best[at] : 0;
        }

        return sum / samples;
    }

    /// <summary>At each point, the best precision there or at any later one.</summary>
    private double[] Envelope()
    {
        double[] best = [.. points.Select(p => p.Precision)];
        for (int i = best.Length - 2; i >= 0; i--)
        {
            best[i] = Math.Max(best[i], best[i + 1]);
        }

        return best;
    }

    private static (double, double)[] Points(int positives, IReadOnlyList<bool> hits)
    {
        var points = new (double, double)[hits.Count];
        int right = 0;
        for (int i = 0; i < points.Length; i++)
        {
            right += hits[i] ? 1 : 0;
            points[i] = ((double)right / (i + 1), positives == 0 ? 0 : (double)right / positives);
        }

        return points;
    }
}
