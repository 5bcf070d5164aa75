namespace AdderNet.Cli;

/// <summary>What somebody who misspelt a word probably meant.</summary>
internal static class Nearest
{
    /// <summary>The candidate that the fewest changed letters make of the word; null where none is close.</summary>
    public static string? To(string word, IEnumerable<string> candidates) => candidates
        .Select(c => (Candidate: c, Distance: Levenshtein.Distance(word.ToUpperInvariant(), c.ToUpperInvariant())))
        .Where(c => c.Distance <= Math.Max(2, c.Candidate.Length / 3))
        .OrderBy(c => c.Distance)
        .Select(c => c.Candidate)
        .FirstOrDefault();
}
