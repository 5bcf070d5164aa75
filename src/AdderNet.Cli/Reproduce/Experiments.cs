namespace AdderNet.Cli.Reproduce;

/// <summary>The experiments that can be reproduced.</summary>
internal static class Experiments
{
    /// <summary>All of them, in the paper's order.</summary>
    public static IReadOnlyList<Experiment> All { get; } =
    [
        MnistExperiment.Create(),
        AblationExperiment.Create(),
        CifarExperiment.Create("cifar10"),
        CifarExperiment.Create("cifar100"),
        ImageNetExperiment.Create(),
        CostExperiment.Create(),
    ];
}
