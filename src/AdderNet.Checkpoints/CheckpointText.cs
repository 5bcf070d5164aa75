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

    /// <summary>Names in quotes, the first few of many.</summary>
    public static string Quoted(IReadOnlyCollection<string> names)
    {
        const int most = 6;
        string shown = string.Join(", ", names.Take(most).Select(name => $"'{Shown(name)}'"));
        return names.Count > most ? $"{shown} and {names.Count - most} more" : shown;
    }

    public static CheckpointException CutOff(string file, long length, Exception? inner = null) => new(
        $"{file} is cut off: it begins as a checkpoint, but after its {length:N0} bytes the end is missing; download or copy it again.", inner!);

    public static CheckpointException Damaged(string file, string what, Exception? inner = null) =>
        new($"{file} is damaged or not a checkpoint: {what}.", inner!);
}
