namespace AdderNet.Training;

/// <summary>The values of a classification by name: mean cross-entropy, and the shares of images told right.</summary>
public static class ClassificationMetrics
{
    internal const string LossName = "loss", Top1Name = "top1", Top5Name = "top5";

    /// <summary>What a classification measures.</summary>
    public static IReadOnlyList<Metric> All { get; } =
    [
        new(LossName, "loss"),
        new(Top1Name, "accuracy") { IsShare = true, Best = Optimum.Highest },
        new(Top5Name, "top-5") { IsShare = true, IsShown = false },
    ];

    extension(EpochMetrics epoch)
    {
        /// <summary>Mean cross-entropy over the training images, each as it was met.</summary>
        public double TrainLoss => epoch.Train[LossName];

        /// <summary>Accuracy over the training images, each as it was met.</summary>
        public double TrainTop1 => epoch.Train[Top1Name];

        /// <summary>Mean cross-entropy over the images measured after the epoch.</summary>
        public double TestLoss => epoch.Measured[LossName];

        /// <summary>Accuracy over the images measured after the epoch.</summary>
        public double TestTop1 => epoch.Measured[Top1Name];

        /// <summary>The same, counting a label among the first five guesses.</summary>
        public double TestTop5 => epoch.Measured[Top5Name];
    }
}
