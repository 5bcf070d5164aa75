namespace AdderNet.Training.Detection;

/// <summary>The values of a detection by name: FCOS's losses over training images, average precisions over measured ones.</summary>
public static class DetectionMetrics
{
    internal const string LossName = "loss", ClassLossName = "classLoss", BoxLossName = "boxLoss", CentreLossName = "centreLoss";

    /// <summary>COCO's average precision at an IoU of 0.5.</summary>
    public const string Map50Name = "map50";

    /// <summary>COCO's average precision over IoUs of 0.5 to 0.95.</summary>
    public const string MapName = "map";

    /// <summary>What a detection measures; the best epoch has the largest mAP50-95.</summary>
    public static IReadOnlyList<Metric> All { get; } =
    [
        new(LossName, "loss") { Phase = TrainingPhase.Train },
        new(ClassLossName, "class loss") { IsShown = false, Phase = TrainingPhase.Train },
        new(BoxLossName, "box loss") { IsShown = false, Phase = TrainingPhase.Train },
        new(CentreLossName, "centre loss") { IsShown = false, Phase = TrainingPhase.Train },
        new(Map50Name, "mAP50") { IsShare = true, Phase = TrainingPhase.Test },
        new(MapName, "mAP50-95") { IsShare = true, Best = Optimum.Highest, Phase = TrainingPhase.Test },
    ];
}
