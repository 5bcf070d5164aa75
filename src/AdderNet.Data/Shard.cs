namespace AdderNet.Data;

/// <summary>Which images of every batch a process takes, where several share it out.</summary>
/// <param name="Index">The process's number, from 0.</param>
/// <param name="Count">How many processes there are.</param>
/// <param name="Pieces">In how many pieces a batch goes through the model. All processes have a part of each piece, so that what is worked
/// out of a whole piece does not depend on their number.</param>
public sealed record Shard(int Index, int Count, int Pieces = 1)
{
    /// <summary>
    /// The process's part of each piece of a batch. Pieces follow each other, and parts of a piece do; each differ by at most one image. A small
    /// batch has fewer pieces, so that every process has two images of each: BatchNorm needs them.
    /// </summary>
    /// <param name="images">Images of the batch.</param>
    /// <returns>Where each part starts, and the place behind it.</returns>
    public IEnumerable<(int Start, int End)> Of(int images)
    {
        int pieces = Math.Clamp(images / (2 * Count), 1, Pieces);
        for (int i = 0; i < pieces; i++)
        {
            (int start, int end) = (Cut(images, i, pieces), Cut(images, i + 1, pieces));
            yield return (start + Cut(end - start, Index, Count), start + Cut(end - start, Index + 1, Count));
        }
    }

    /// <summary>How many images the process has of a batch.</summary>
    /// <param name="images">Images of the batch.</param>
    public int CountOf(int images) => Of(images).Sum(part => part.End - part.Start);

    private static int Cut(int items, int number, int parts) => (int)((long)items * number / parts);
}
