using AdderNet.Checkpoints;
using AdderNet.Distributed;
using AdderNet.Training.DataParallel;

namespace AdderNet.Training;

/// <summary>
/// What a checkpoint keeps beside the weights: the optimizer's buffers under their parameters' names, and the whole state of a task's
/// companions as NAME/state/KEY.
/// </summary>
internal static class TrainingState
{
    public static OrderedDictionary<string, TensorData> Of(ITrainingTask task, MomentumSgd optimizer) => new(
    [
        .. optimizer.State,
        .. task.Companions.SelectMany(c => StateDict.FromModule(c.Module).Select(s => KeyValuePair.Create(Prefix(c) + s.Key, s.Value))),
    ]);

    /// <exception cref="CheckpointException">A companion's state does not fit it.</exception>
    /// <exception cref="TrainingException">The optimizer's state belongs to another model.</exception>
    public static void Load(ITrainingTask task, MomentumSgd optimizer, IReadOnlyDictionary<string, TensorData> saved, string source)
    {
        Dictionary<string, TensorData> left = new(saved);
        foreach (Companion companion in task.Companions)
        {
            Dictionary<string, TensorData> own = [];
            foreach (string key in saved.Keys.Where(k => k.StartsWith(Prefix(companion), StringComparison.Ordinal)))
            {
                own.Add(key[Prefix(companion).Length..], saved[key]);
                left.Remove(key);
            }

            StateDict.LoadInto(companion.Module, own, source: $"The state of '{companion.Name}' in {source}");
        }

        optimizer.Load(left, source);
    }

    /// <summary>Gives all processes the weights and the optimizer's state of the first, so that they go on as one.</summary>
    public static void Share(ITrainingTask task, MomentumSgd optimizer, Communicator ranks)
    {
        if (ranks.Size == 1)
        {
            return;
        }

        Share(StateDict.FromModule(task.Model), tensors => StateDict.LoadInto(task.Model, tensors));
        Share(Of(task, optimizer), tensors => Load(task, optimizer, tensors, "The first process's state"));

        void Share(OrderedDictionary<string, TensorData> own, Action<IReadOnlyDictionary<string, TensorData>> load)
        {
            TensorFile first = ranks.Broadcast(new TensorFile(own, new Dictionary<string, string>()));
            if (ranks.Rank != 0)
            {
                load(first.Tensors);
            }
        }
    }

    private static string Prefix(Companion companion) => $"{companion.Name}/state/";
}
