using AdderNet.Training;

namespace AdderNet.Reproduction.Tests;

/// <summary>Epochs of a classification that nobody trained.</summary>
internal static class Epochs
{
    public static EpochMetrics Of(int epoch, double trainLoss, double testLoss, double testTop1) => new()
    {
        Epoch = epoch,
        LearningRate = 0.1,
        Train = new(("loss", trainLoss), ("top1", testTop1), ("top5", 1)),
        Test = new(("loss", testLoss), ("top1", testTop1), ("top5", 1)),
        TrainSeconds = 1,
        TestSeconds = 1,
        ImagesPerSecond = 100,
        Finished = default,
    };
}
