using TorchSharp;
using static TorchSharp.torch;

namespace AdderNet.Training;

/// <summary>Sums over the images of a phase.</summary>
internal sealed class ClassificationMeter
{
    private double loss;
    private long top1, top5, count;

    /// <summary>Mean loss so far.</summary>
    public double Loss => count == 0 ? 0 : loss / count;

    /// <summary>Share of right first guesses so far.</summary>
    public double Top1 => count == 0 ? 0 : (double)top1 / count;

    /// <summary>Images so far.</summary>
    public long Count => count;

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
        count += images;
    }

    public EvaluationResult Result(TimeSpan time) =>
        new(Loss, Top1, count == 0 ? 0 : (double)top5 / count, count, time.TotalSeconds);
}
