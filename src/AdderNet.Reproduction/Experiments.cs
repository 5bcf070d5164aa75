namespace AdderNet.Reproduction;

/// <summary>The experiments that can be reproduced.</summary>
internal static class Experiments
{
    /// <summary>All of them: the small ones first.</summary>
    public static IReadOnlyList<Experiment> All { get; } =
    [
        MnistExperiment.Create(),
        AblationExperiment.Create(),
        FeaturesExperiment.Create(),
        FiltersExperiment.Create(),
        WeightsExperiment.Create(),
        VarianceExperiment.Create(),
        CifarExperiment.Create("cifar10"),
        CifarExperiment.Create("cifar100"),
        ImageNetExperiment.Create(),
        DetectionExperiment.Create(),
        CostExperiment.Create(),
    ];
}
