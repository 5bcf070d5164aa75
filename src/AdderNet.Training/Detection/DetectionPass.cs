using AdderNet.Data.Detection;
using AdderNet.Models;
using TorchSharp;
using static TorchSharp.torch;

namespace AdderNet.Training.Detection;

/// <summary>A detector's way through a loader's images.</summary>
internal sealed class DetectionPass : ITaskPass
{
    private readonly nn.Module<Tensor, Tensor> model;
    private readonly DetectionLoader loader;
    private readonly int epoch;
    private readonly CancellationToken cancel;
    private readonly FcosGrid grid;
    private readonly EngineModel? engine;
    private readonly Detector detector;
    private readonly DetectionMeter meter;
    private readonly Action<int, List<FoundBox>>? found;
    private readonly double[] losses = new double[3];
    private (double Map50, double Map)? measured;

    /// <param name="model">The detector; in evaluation mode where the engine is to be used.</param>
    /// <param name="levels">Its maps.</param>
    /// <param name="loader">The images with their boxes.</param>
    /// <param name="epoch">Decides order and augmentation.</param>
    /// <param name="useEngine">Whether a copy of the model in the engine computes, which has no hooks and no gradients.</param>
    /// <param name="found">Is told what was found in each measured image, by its place in the data set.</param>
    /// <param name="cancel">Ends the batches.</param>
    public DetectionPass(
        nn.Module<Tensor, Tensor> model, IReadOnlyList<DetectionLevel> levels, DetectionLoader loader, int epoch, bool useEngine,
        Action<int, List<FoundBox>>? found, CancellationToken cancel)
    {
        (this.model, this.loader, this.epoch, this.found, this.cancel) = (model, loader, epoch, found, cancel);
        IReadOnlyList<string> names = loader.Dataset.ClassNames;
        grid = new FcosGrid(levels, loader.Height, loader.Width, names.Count);
        engine = useEngine && model is not EngineModel ? new EngineModel(model) : null;
        detector = new Detector(engine ?? model, levels, names.Count);
        meter = new DetectionMeter(names);
    }

    public IEnumerable<ITaskBatch> Batches => loader.Epoch(epoch, cancel).Select(batch => new BoxedImages(this, batch));

    public long Count { get; private set; }

    /// <summary>What was measured.</summary>
    public DetectionMeter Meter => meter;

    public MetricValues Values
    {
        get
        {
            if (meter.Count == 0)
            {
                double[] means = [.. losses.Select(l => Count == 0 ? 0 : l / Count)];
                return new(
                    (DetectionMetrics.LossName, means.Sum()), (DetectionMetrics.ClassLossName, means[0]),
                    (DetectionMetrics.BoxLossName, means[1]), (DetectionMetrics.CentreLossName, means[2]));
            }

            if (Count < loader.ItemCount)
            {
                return new();
            }

            (double map50, double map) = measured ??= meter.Map();
            return new((DetectionMetrics.Map50Name, map50), (DetectionMetrics.MapName, map));
        }
    }

    public void Dispose() => engine?.Dispose();

    private sealed class BoxedImages(DetectionPass pass, DetectionBatch batch) : ITaskBatch
    {
        public int Count => batch.Count;

        public Tensor Loss(int start, int count)
        {
            using var scope = NewDisposeScope();
            Tensor images = batch.Images.ImageTensor();
            Tensor rows = pass.model.call(count == Count ? images : images.narrow(0, start, count));
            FcosLoss loss = FcosLoss.Of(rows, pass.grid, new FcosTargets(pass.grid, [.. batch.Objects.Skip(start).Take(count)]));
            foreach (var (i, part) in ((Tensor[])[loss.Classes, loss.Boxes, loss.Centres]).Index())
            {
                pass.losses[i] += part.item<float>() * count;
            }

            pass.Count += count;
            return loss.Sum().MoveToOuterDisposeScope();
        }

        public void Measure()
        {
            IReadOnlyList<LabelledImage> images = pass.loader.Dataset.Images;
            foreach (var (i, found) in pass.detector.Find(batch, images).Index())
            {
                int index = batch.Images.Indices[i];
                pass.meter.Add(images[index].Objects, found);
                pass.found?.Invoke(index, found);
            }

            pass.Count += Count;
        }

        public void Dispose() => batch.Dispose();
    }
}
