using AdderNet.Distributed;
using TorchSharp;
using static TorchSharp.torch;

namespace AdderNet.Training;

/// <summary>Sums over the images of a pass.</summary>
internal sealed class ClassificationMeter
{
    private double loss;
    private long top1, top5;

    /// <summary>Images so far.</summary>
    public long Count { get; private set; }

    /// <summary>Means over them; 0 before the first.</summary>
    public MetricValues Values => new(
        (ClassificationMetrics.LossName, Mean(loss)), (ClassificationMetrics.Top1Name, Mean(top1)), (ClassificationMetrics.Top5Name, Mean(top5)));

    /// <summary>Adds some images.</summary>
    /// <param name="meanLoss">Their mean loss.</param>
    /// <param name="logits">[N, classes].</param>
    /// <param name="labels">[N].</param>
    public void Add(double meanLoss, Tensor logits, Tensor labels)
    {
        using var guard = no_grad();
        using var scope = NewDisposeScope();
        long images = labels.shape[0];
        int guesses = (int)Math.Min(5, logits.shape[1]);
        Tensor hits = logits.detach().topk(guesses, 1).indexes.eq(labels.unsqueeze(1));
        top1 += hits.narrow(1, 0, 1).sum().item<long>();
        top5 += hits.sum().item<long>();
        loss += meanLoss * images;
        Count += images;
    }

    /// <summary>Adds the images that other processes have seen.</summary>
    public void Combine(Communicator ranks)
    {
        double[] sums = [loss, top1, top5, Count];
        ranks.Sum(sums);
        (loss, top1, top5, Count) = (sums[0], (long)sums[1], (long)sums[2], (long)sums[3]);
    }

    private double Mean(double sum) => Count == 0 ? 0 : sum / Count;
}
