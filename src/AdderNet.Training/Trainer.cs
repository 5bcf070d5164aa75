using TorchSharp;
using static TorchSharp.torch;

namespace AdderNet.Training;

/// <summary>Trains a model as a run folder's recipe says, from its last completed epoch to the end.</summary>
/// <example><code>
/// using RunFolder folder = RunFolder.Create("runs/first", Recipe.For("lenet5-bn", "mnist"));
/// using Trainer trainer = new(folder, Datasets.Open("mnist", train: true), Datasets.Open("mnist", train: false));
/// TrainingResult result = trainer.Run();
/// </code></example>
public sealed class Trainer : IDisposable
{
    // Data types follow: Trainer(RunFolder folder, Dataset train, Dataset test, Func<nn.Module<Tensor, Tensor>>? model = null)

    /// <summary>The model in its present state; it belongs to the trainer.</summary>
    public nn.Module<Tensor, Tensor> Model => throw new NotImplementedException();

    /// <summary>
    /// Trains until the last epoch or until cancelled. After each epoch its checkpoint is on the disk; cancelling stops after the batch
    /// in flight, and the epoch in flight is lost.
    /// </summary>
    /// <param name="progress">Told after each batch, on the calling thread.</param>
    /// <param name="cancel">Stops the run; the result then says so.</param>
    /// <exception cref="TrainingException">The loss is no longer a number, or a checkpoint can't be written or read.</exception>
    public TrainingResult Run(IProgress<TrainingProgress>? progress = null, CancellationToken cancel = default) =>
        throw new NotImplementedException();

    /// <summary>Frees the model's and the optimizer's memory.</summary>
    public void Dispose() => throw new NotImplementedException();
}
