namespace AdderNet.Checkpoints;

/// <summary>
/// Bounds what reading a file may allocate by what a file of its size can need. Few bytes can ask for much: expanded tensors, deflated
/// entries, one-byte opcodes that make objects.
/// </summary>
/// <param name="file">What messages call it.</param>
/// <param name="fileSize">Its bytes.</param>
/// <param name="copies">How often what is in it may be needed: tensors in their storage, gathered from it by strides, and from shared storages
/// more often.</param>
internal sealed class MemoryBudget(string file, long fileSize, int copies = 4)
{
    private const long Allowance = 40L << 20;
    private long _left = copies * fileSize + Allowance;

    /// <summary>Lets more be allocated.</summary>
    public void Grant(long bytes) => _left += bytes;

    public void Take(long bytes)
    {
        if (bytes < 0 || bytes > _left)
            throw new CheckpointException(
                $"Reading {file} would take far more memory than a checkpoint of {fileSize:N0} bytes can need, so it was refused.");
        _left -= bytes;
    }
}
