using AdderNet.Training.Detection;

namespace AdderNet.Reproduction;

/// <summary>A detector's run, and what its best epoch reached on the test images; null while it is not complete.</summary>
internal sealed record TestedRun(RunFinding Run, DetectionEvaluationResult? Test)
{
    /// <summary>In percent.</summary>
    public double? Map50 => 100 * Test?.Scores.All.Map50;

    /// <summary>In percent.</summary>
    public double? Map => 100 * Test?.Scores.All.Map;
}

/// <summary>
/// What each thing that the study of detectors looks at makes of a detector: a version less its partner, with the difference's sign.
/// </summary>
internal static class DetectionEffects
{
    public const string Adder = "AdderNet", Cnn = "CNN", ConvolutionNeck = "AdderNet, neck of convolutions", Fpn = "AdderNet, FPN",
        AdderHead = "AdderNet, head of adder layers", Sign = "AdderNet, sign gradient", GoesOn = "AdderNet, goes on",
        Frozen = "AdderNet, goes on, BatchNorm frozen";

    private static readonly Effect[] All =
    [
        new("adder layers instead of convolutions", Adder, Cnn, "loses (37.8 for 39.0 on COCO, 76.5 for 79.1 on VOC 07)"),
        new("adder layers in the neck, too", Adder, ConvolutionNeck, null),
        new("R-PAFPN instead of FPN", Adder, Fpn, "gains"),
        new("a head of adder layers", AdderHead, Adder, "loses much"),
        new("the sign instead of HardTanh in the input's gradient", Sign, Adder, "gains 0.2"),
        new("frozen BatchNorm in the backbone", Frozen, GoesOn, "does not converge"),
    ];

    /// <summary>Writes the differences, and a sentence each.</summary>
    public static void Write(IReadOnlyList<TestedRun> runs, Report report)
    {
        const string points = "+0.00;-0.00;0.00";
        Difference[] differences = [.. All.Select(e => Difference.Of(e, runs))];
        report.Title("Findings");
        report.Text(
            "The difference that each thing makes to the version named beside it, in points, as the mean over seeds; its sign is unclear "
            + "where seeds disagree, and one seed alone cannot tell a small difference from chance. The last two versions go on from the "
            + "backbone of the first one, whose BatchNorm has learned the statistics that are then frozen.");
        report.Table(
            "effects",
            [
                "what", "compared with", new("mAP50", points), new("mAP50-95", points), new("spread", "F2"), "seeds", "here it",
                "in the study it",
            ],
            differences.Select(d => (object?[])
            [
                d.Effect.What, d.Effect.Partner, d.Map.Length == 0 ? Absent.NotRunYet : d.Map50.Average(),
                d.Map.Length == 0 ? Absent.NotRunYet : d.Map.Average(), SeedTable.StandardDeviation(d.Map), d.Map.Length,
                d.Map.Length == 0 ? null : d.Verb, d.Effect.Study,
            ]));
        foreach (Difference difference in differences.Where(d => d.Map.Length > 0))
        {
            report.Text(difference.Sentence);
        }
    }

    /// <param name="What">The thing.</param>
    /// <param name="Version">The version with it.</param>
    /// <param name="Partner">The version without.</param>
    /// <param name="Study">What it does by the study; null where that is not told.</param>
    private sealed record Effect(string What, string Version, string Partner, string? Study);

    /// <param name="Effect">What is compared.</param>
    /// <param name="Map50">The differences of mAP50 in points, seed by seed.</param>
    /// <param name="Map">Those of mAP50-95.</param>
    private sealed record Difference(Effect Effect, double[] Map50, double[] Map)
    {
        public string Verb => Map.All(d => d > 0) ? "gains"
            : Map.All(d => d < 0) ? "loses"
            : Map.All(d => d == 0) ? "changes nothing"
            : "is unclear";

        public string Sentence
        {
            get
            {
                string what = char.ToUpperInvariant(Effect.What[0]) + Effect.What[1..];
                string study = Effect.Study is { } says ? $" (in the study it {says})" : "";
                string seeds = Map.Length == 1 ? "one seed" : $"{Map.Length} seeds";
                return $"{what}: it {Verb}{study}: {Points(Map)} points of mAP50-95, {Points(Map50)} of mAP50, {seeds}.";

                static string Points(double[] values) => FormattableString.Invariant($"{values.Average():+0.00;-0.00;0.00}");
            }
        }

        public static Difference Of(Effect effect, IReadOnlyList<TestedRun> runs)
        {
            var pairs = (from version in runs.Where(r => r.Test is not null && r.Run.Plan.Label == effect.Version)
                         join partner in runs.Where(r => r.Test is not null && r.Run.Plan.Label == effect.Partner)
                             on version.Run.Plan.Recipe.Seed equals partner.Run.Plan.Recipe.Seed
                         select (
                             Map50: version.Map50!.Value - partner.Map50!.Value,
                             Map: version.Map!.Value - partner.Map!.Value)).ToArray();
            return new Difference(effect, [.. pairs.Select(p => p.Map50)], [.. pairs.Select(p => p.Map)]);
        }
    }
}
