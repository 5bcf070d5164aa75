namespace AdderNet.Checkpoints;

/// <summary>
/// Bounds what reading a file may allocate: the file's own size and a fixed allowance. Few bytes can ask for much (expanded
/// tensors, deflated entries, one-byte opcodes that make objects); real checkpoints never do.
/// </summary>
internal sealed class MemoryBudget(string file, long fileSize)
{
    private const long Allowance = 40L << 20;
    private long _left = fileSize + Allowance;

    public void Take(long bytes)
    {
        if (bytes < 0 || bytes > _left)
            throw new CheckpointException(
                $"Reading {file} would take far more memory than a checkpoint of {fileSize:N0} bytes can need, so it was refused.");
        _left -= bytes;
    }
}
