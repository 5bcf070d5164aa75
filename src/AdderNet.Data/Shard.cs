namespace AdderNet.Data;

/// <summary>Which part of every batch a process takes, where several share them out.</summary>
/// <param name="Index">Its number, from 0.</param>
/// <param name="Count">How many parts there are.</param>
public sealed record Shard(int Index, int Count)
{
    /// <summary>The part of some items: parts follow each other and differ by at most one item.</summary>
    /// <param name="items">How many items.</param>
    /// <returns>Where it starts, and where the next one does.</returns>
    public (int Start, int End) Of(int items) => ((int)((long)items * Index / Count), (int)((long)items * (Index + 1) / Count));
}
