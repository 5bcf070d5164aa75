using System.Runtime.InteropServices;
using AdderNet.Data.Detection;
using AdderNet.Distributed;
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
    private readonly Action<int, List<FoundBox>>? found;
    private readonly List<Found>? measuredBoxes;
    private DetectionMeter meter;
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
        measuredBoxes = loader.IsShared ? [] : null;
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

    public void Combine(Communicator ranks)
    {
        if (ranks.Size == 1)
        {
            return;
        }

        double[] sums = [.. losses, Count];
        ranks.Sum(sums);
        sums.AsSpan(0, losses.Length).CopyTo(losses);
        Count = (long)sums[^1];
        // Average precision ranks the detections of all images, so each process counts those of all, in the order of the data set.
        Found[][] all = [.. ranks.Gather(MemoryMarshal.AsBytes(CollectionsMarshal.AsSpan(measuredBoxes ?? [])).ToArray())
            .Select(bytes => MemoryMarshal.Cast<byte, Found>(bytes).ToArray())];
        if (all.Any(f => f.Length > 0))
        {
            meter = new DetectionMeter(loader.Dataset.ClassNames);
            foreach (IGrouping<int, Found> image in all.SelectMany(f => f).GroupBy(f => f.Image).OrderBy(g => g.Key))
            {
                List<FoundBox> boxes = [.. image.Where(f => f.Class >= 0).Select(f => new FoundBox(f.Class, f.Box, f.Score))];
                meter.Add(loader.Dataset.Images[image.Key].Objects, boxes);
                found?.Invoke(image.Key, boxes);
            }
        }
    }

    public void Dispose() => engine?.Dispose();

    /// <summary>A detection as processes send it to each other; class -1 says only that the image was measured.</summary>
    private readonly record struct Found(int Image, int Class, Box Box, float Score);

    private sealed class BoxedImages(DetectionPass pass, DetectionBatch batch) : ITaskBatch
    {
        private readonly Lazy<FcosTargets> targets = new(() => new FcosTargets(pass.grid, batch.Objects));
        private FcosTotals? totals;

        public int Count => batch.Count;

        public int TotalCount => batch.Images.TotalCount;

        public void Share(Communicator ranks)
        {
            FcosTotals own = FcosTotals.Of(targets.Value);
            double[] sums = [own.Places, own.Centreness];
            ranks.Sum(sums);
            totals = new FcosTotals(sums[0], sums[1]);
        }

        public Tensor Loss(int start, int count)
        {
            using var scope = NewDisposeScope();
            Tensor images = batch.Images.ImageTensor();
            Tensor rows = pass.model.call(count == Count ? images : images.narrow(0, start, count));
            FcosLoss loss = FcosLoss.Of(rows, pass.grid, count == Count ? targets.Value : targets.Value.Of(start, count), totals);
            // The batch's loss is the mean of its parts', each weighted by its images.
            double weight = totals is null ? 1 : (double)TotalCount / count;
            foreach (var (i, part) in ((Tensor[])[loss.Classes, loss.Boxes, loss.Centres]).Index())
            {
                pass.losses[i] += part.item<float>() * weight * count;
            }

            pass.Count += count;
            return loss.Sum().Times(weight).MoveToOuterDisposeScope();
        }

        public void Measure()
        {
            IReadOnlyList<LabelledImage> images = pass.loader.Dataset.Images;
            foreach (var (i, found) in pass.detector.Find(batch, images).Index())
            {
                int index = batch.Images.Indices[i];
                pass.meter.Add(images[index].Objects, found);
                pass.measuredBoxes?.Add(new Found(index, -1, default, 0));
                pass.measuredBoxes?.AddRange(found.Select(f => new Found(index, f.Class, f.Box, f.Score)));
                pass.found?.Invoke(index, found);
            }

            pass.Count += Count;
        }

        public void Dispose() => batch.Dispose();
    }
}
