using AdderNet.Distributed;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace AdderNet.Training;

/// <summary>What training has to know of BatchNorm.</summary>
internal static class BatchNorms
{
    /// <summary>The first BatchNorm that has only one value a channel to normalize by in a forward pass.</summary>
    /// <param name="task">The task whose modules are looked at.</param>
    /// <param name="forward">The pass.</param>
    /// <returns>What to call the layer; null where there is none.</returns>
    public static string? WithOneValue(ITrainingTask task, Action forward)
    {
        string? found = null;
        List<Action> removers = [.. Named(task).Where(n => n.Norm.training).Select(n => (Action)n.Norm.register_forward_pre_hook((_, input) =>
        {
            found ??= input.numel() == input.shape[1] ? $"The layer '{n.Name}' ({n.Norm.Kind()})" : null;
            return input;
        }).remove)];
        try
        {
            forward();
        }
        finally
        {
            removers.ForEach(remove => remove());
        }

        return found;
    }

    /// <summary>
    /// Puts the statistics of some training batches in the place of the running averages, which are of filters that have moved on since:
    /// mean = E[m], variance = E[v + m^2] - mean^2 over the batches' means m and variances v. BatchNorms in evaluation mode are left alone.
    /// </summary>
    /// <remarks>Several processes end with the same statistics, those of all their pieces; without batches, of all their running averages.</remarks>
    /// <param name="task">The task, in training mode.</param>
    /// <param name="epoch">Whose batches, in its order, augmented as they were.</param>
    /// <param name="batches">How many of them.</param>
    /// <param name="step">How a batch goes through the model.</param>
    /// <param name="ranks">The processes that share out the batches.</param>
    /// <param name="cancel">Stops after the batch in flight.</param>
    public static void Reestimate(ITrainingTask task, int epoch, int batches, TrainingStep step, Communicator ranks, CancellationToken cancel)
    {
        BatchNorm[] norms = [.. Named(task).Select(n => n.Norm).Where(n => n is { training: true, track_running_stats: true, running_mean: not null })];
        if (norms.Length == 0 || (batches == 0 && ranks.Size == 1))
        {
            return;
        }

        using var scope = NewDisposeScope();
        using var guard = no_grad();
        Statistics statistics = new(norms);
        if (batches == 0)
        {
            statistics.Add();
        }
        else
        {
            ranks.Agree(() => Look(task, epoch, batches, step, norms, statistics, cancel), step.IsSynchronized);
        }

        statistics.Combine(ranks);
        statistics.Apply();
    }

    private static void Look(
        ITrainingTask task, int epoch, int batches, TrainingStep step, BatchNorm[] norms, Statistics statistics, CancellationToken cancel)
    {
        var momenta = norms.Select(n => n.momentum).ToArray();
        Tensor[] tracked = [.. norms.Select(n => n.num_batches_tracked!.clone())];
        try
        {
            foreach (BatchNorm norm in norms)
            {
                // The running averages are then the latest batch's own.
                norm.momentum = 1;
            }

            using ITaskPass pass = task.Begin(TrainingPhase.Train, epoch, inspect: false, cancel);
            foreach (ITaskBatch batch in pass.Batches.Take(batches))
            {
                using (batch)
                {
                    foreach ((int start, int count) in step.Pieces(batch))
                    {
                        using var pieceScope = NewDisposeScope();
                        step.Synchronized(() => batch.Loss(start, count));
                        statistics.Add();
                    }
                }

                BatchTensors.ReleaseLeftovers();
                cancel.ThrowIfCancellationRequested();
            }
        }
        finally
        {
            for (int i = 0; i < norms.Length; i++)
            {
                norms[i].momentum = momenta[i];
                norms[i].num_batches_tracked!.copy_(tracked[i]);
            }
        }
    }

    /// <summary>First and second moments of BatchNorms' inputs, summed over passes.</summary>
    private sealed class Statistics(BatchNorm[] norms)
    {
        private readonly Tensor[] means = [.. norms.Select(n => zeros_like(n.running_mean!, ScalarType.Float64))];
        private readonly Tensor[] squares = [.. norms.Select(n => zeros_like(n.running_mean!, ScalarType.Float64))];
        private double passes;

        /// <summary>Adds what the BatchNorms' running averages are now.</summary>
        public void Add()
        {
            using var scope = NewDisposeScope();
            passes++;
            for (int i = 0; i < norms.Length; i++)
            {
                Tensor mean = norms[i].running_mean!.to_type(ScalarType.Float64);
                means[i].Add(mean);
                squares[i].Add(mean.Squared().Add(norms[i].running_var!));
            }
        }

        /// <summary>Adds the passes of the other processes.</summary>
        public void Combine(Communicator ranks)
        {
            if (ranks.Size == 1)
            {
                return;
            }

            double[] sums = [passes, .. means.Concat(squares).SelectMany(t => t.data<double>())];
            ranks.Sum(sums);
            passes = sums[0];
            int place = 1;
            foreach (Tensor t in means.Concat(squares))
            {
                t.copy_(tensor(sums[place..(place += (int)t.numel())]));
            }
        }

        /// <summary>Makes the averages those of the BatchNorms.</summary>
        public void Apply()
        {
            using var scope = NewDisposeScope();
            for (int i = 0; i < norms.Length; i++)
            {
                Tensor mean = means[i].Over(passes);
                norms[i].running_mean!.copy_(mean);
                norms[i].running_var!.copy_(squares[i].Over(passes).sub_(mean.Squared()));
            }
        }
    }

    private static IEnumerable<(string Name, BatchNorm Norm)> Named(ITrainingTask task) =>
        task.NamedModules().SelectMany(m => m.Module.named_modules().Append(("", m.Module))
            .Select(n => (Name: m.Prefix + n.Item1, Norm: n.Item2 as BatchNorm)).Where(n => n.Norm is not null)
            .Select(n => (n.Name, n.Norm!)));
}
