using AdderNet.Data;
using AdderNet.Training.Detection;

namespace AdderNet.Training;

/// <summary>Which end of a scale is the good one.</summary>
public enum Optimum
{
    /// <summary>The lower the better.</summary>
    Lowest,

    /// <summary>The higher the better.</summary>
    Highest,
}

/// <summary>Something that a task measures.</summary>
/// <param name="Name">Its name in files, in camel case: top1 becomes trainTop1 and testTop1.</param>
/// <param name="Title">What people read.</param>
public sealed record Metric(string Name, string Title)
{
    /// <summary>Whether it is a share from 0 to 1, which people read in percent.</summary>
    public bool IsShare { get; init; }

    /// <summary>Whether tables and progress show it; files have all metrics.</summary>
    public bool IsShown { get; init; } = true;

    /// <summary>The only phase in which it is measured; null for both.</summary>
    public TrainingPhase? Phase { get; init; }

    /// <summary>The end of its scale that makes an epoch the best one; null for metrics that don't decide.</summary>
    public Optimum? Best { get; init; }

    /// <summary>What is measured on the images of a data set: the task follows from them.</summary>
    /// <param name="data">The data set.</param>
    public static IReadOnlyList<Metric> AllOf(DatasetInfo data)
    {
        ArgumentNullException.ThrowIfNull(data);
        return data.HasBoxes ? DetectionMetrics.All : ClassificationMetrics.All;
    }

    /// <summary>A value as people read it.</summary>
    public string Format(double value) => IsShare ? FormattableString.Invariant($"{100 * value:F2} %") : FormattableString.Invariant($"{value:F4}");

    /// <summary>Whether some values are better than others by this metric.</summary>
    internal bool IsBetter(MetricValues values, MetricValues than) =>
        Best == Optimum.Lowest ? values[Name] < than[Name] : values[Name] > than[Name];
}
