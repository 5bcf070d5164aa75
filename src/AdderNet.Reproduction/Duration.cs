namespace AdderNet.Reproduction;

/// <summary>Times added up, and as people write them.</summary>
internal static class Duration
{
    /// <summary>The time of all of them.</summary>
    public static TimeSpan Sum<T>(IEnumerable<T> items, Func<T, TimeSpan> time) => TimeSpan.FromTicks(items.Sum(i => time(i).Ticks));

    /// <summary>0:31, 12:05, 3:12:05, 2 d 03:12.</summary>
    public static string Clock(TimeSpan time) => time switch
    {
        { TotalDays: >= 1 } => $"{(int)time.TotalDays} d {time:hh\\:mm}",
        { TotalHours: >= 1 } => $"{time:h\\:mm\\:ss}",
        _ => $"{time:m\\:ss}",
    };

    /// <summary>31 s, 2 min 58 s, 3 h 12 min.</summary>
    public static string Words(TimeSpan time) => time switch
    {
        { TotalDays: >= 1 } => $"{(int)time.TotalDays} d {time.Hours} h",
        { TotalHours: >= 1 } => $"{time.Hours} h {time.Minutes} min",
        { TotalMinutes: >= 1 } => $"{time.Minutes} min {time.Seconds} s",
        _ => FormattableString.Invariant($"{time.TotalSeconds:0.#} s"),
    };
}
