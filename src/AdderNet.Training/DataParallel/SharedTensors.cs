using AdderNet.Checkpoints;
using AdderNet.Distributed;

namespace AdderNet.Training.DataParallel;

/// <summary>Tensors that one process has and all need.</summary>
internal static class SharedTensors
{
    /// <summary>The first process's tensors and metadata in all of them, whether or not they have a file system in common.</summary>
    /// <param name="ranks">The processes; each calls it.</param>
    /// <param name="own">What the first has; ignored in others.</param>
    public static TensorFile Broadcast(this Communicator ranks, TensorFile? own)
    {
        if (ranks.Size == 1)
        {
            return own!;
        }

        using MemoryStream file = new();
        if (ranks.Rank == 0)
        {
            Safetensors.Write(file, own!.Tensors, own.Metadata);
        }

        using MemoryStream received = new(ranks.Broadcast(file.ToArray()));
        return ranks.Rank == 0 ? own! : Safetensors.Read(received);
    }
}
