using AdderNet.Distributed;
using TorchSharp;
using static TorchSharp.torch;

namespace AdderNet.Training;

/// <summary>Sums over the images of a pass.</summary>
/// <param name="others">What is measured beside the classification.</param>
internal sealed class ClassificationMeter(params IEnumerable<Metric> others)
{
    private readonly OrderedDictionary<string, double> sums = new(others.Select(m => KeyValuePair.Create(m.Name, 0.0)));
    private double loss;
    private long top1, top5;

    /// <summary>Images so far.</summary>
    public long Count { get; private set; }

    /// <summary>Means over them; 0 before the first.</summary>
    public MetricValues Values => new(
    [
        (ClassificationMetrics.LossName, Mean(loss)), (ClassificationMetrics.Top1Name, Mean(top1)), (ClassificationMetrics.Top5Name, Mean(top5)),
        .. sums.Select(s => (s.Key, Mean(s.Value))),
    ]);

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
        double[] all = [loss, top1, top5, Count, .. sums.Values];
        ranks.Sum(all);
        (loss, top1, top5, Count) = (all[0], (long)all[1], (long)all[2], (long)all[3]);
        foreach ((int i, string name) in sums.Keys.ToArray().Index())
        {
            sums[name] = all[4 + i];
        }
    }

    /// <summary>Adds the mean of one of the other metrics over some images.</summary>
    /// <param name="metric">The metric's name.</param>
    /// <param name="mean">Its mean over them.</param>
    /// <param name="images">How many.</param>
    public void Add(string metric, double mean, long images) => sums[metric] += mean * images;

    private double Mean(double sum) => Count == 0 ? 0 : sum / Count;
}
