using AdderNet.Data;
using AdderNet.Distributed;
using AdderNet.Training.Distillation;
using TorchSharp;
using static TorchSharp.torch;

namespace AdderNet.Training;

/// <summary>A classifier's way through a loader's images.</summary>
/// <param name="model">Images [N, C, H, W] to logits [N, classes]; in evaluation mode where the engine is to be used.</param>
/// <param name="loader">The images with their labels.</param>
/// <param name="epoch">Decides order and augmentation.</param>
/// <param name="useEngine">Whether a copy of the model in the engine computes, which has no hooks and no gradients.</param>
/// <param name="cancel">Ends the batches.</param>
/// <param name="lesson">What is learned beside the labels; null for nothing.</param>
internal sealed class ClassificationPass(
    nn.Module<Tensor, Tensor> model, DataLoader loader, int epoch, bool useEngine, CancellationToken cancel, ILesson? lesson = null) : ITaskPass
{
    private readonly ClassificationMeter meter = new(lesson?.Metrics ?? []);
    private readonly EngineModel? engine = useEngine && model is not EngineModel ? new EngineModel(model) : null;

    public IEnumerable<ITaskBatch> Batches => loader.Epoch(epoch, cancel).Select(batch => new LabelledImages(engine ?? model, batch, meter, lesson));

    public MetricValues Values => meter.Values;

    public long Count => meter.Count;

    public void Combine(Communicator ranks) => meter.Combine(ranks);

    public void Dispose() => engine?.Dispose();

    private sealed class LabelledImages(nn.Module<Tensor, Tensor> model, Batch batch, ClassificationMeter meter, ILesson? lesson) : ITaskBatch
    {
        public int Count => batch.Count;

        public int TotalCount => batch.TotalCount;

        public Tensor Loss(int start, int count)
        {
            using var scope = NewDisposeScope();
            Tensor images = batch.ImageTensor(), labels = batch.LabelTensor();
            if (count != Count)
            {
                (images, labels) = (images.narrow(0, start, count), labels.narrow(0, start, count));
            }

            Tensor logits = model.call(images);
            Check(logits, count);
            Tensor loss = nn.functional.cross_entropy(logits, labels);
            meter.Add(loss.item<float>(), logits, labels);
            return (lesson?.Loss(images, labels, logits, loss, meter) ?? loss).MoveToOuterDisposeScope();
        }

        public void Measure()
        {
            using var guard = no_grad();
            using Tensor loss = Loss(0, Count);
        }

        public void Dispose() => batch.Dispose();

        private void Check(Tensor logits, int images)
        {
            if (logits.dim() != 2 || logits.shape[0] != images)
            {
                throw new TrainingException(
                    $"The model gives [{string.Join(", ", logits.shape)}] for {images} images; it must give one row of logits an image.");
            }

            if (batch.Labels.Max() is var largest && largest >= logits.shape[1])
            {
                throw new TrainingException(
                    $"There is a label {largest}, but the model tells only {logits.shape[1]} classes apart; use a model with as many outputs as the data has classes.");
            }
        }
    }
}
