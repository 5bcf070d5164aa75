namespace AdderNet.Checkpoints;

internal static class CheckpointText
{
    /// <summary>A name out of a file, fit for a message on a terminal: short and without control characters.</summary>
    public static string Shown(string name)
    {
        const int longest = 100;
        string shown = string.Concat(name.Take(longest).Select(c => char.IsControl(c) || char.IsSurrogate(c) ? '?' : c));
        return name.Length > longest ? shown + "..." : shown;
    }

    public static CheckpointException Damaged(string file, string what, Exception? inner = null) =>
        new($"{file} is damaged or not a checkpoint: {what}.", inner!);
}
