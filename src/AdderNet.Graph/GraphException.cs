namespace AdderNet.Graph;

/// <summary>
/// A network cannot be described as a graph, or a graph makes no sense. The message is one sentence for the user: which node or module,
/// and what is wrong with it.
/// </summary>
public sealed class GraphException : Exception
{
    /// <summary>Creates the exception without a message of its own.</summary>
    public GraphException()
    {
    }

    /// <summary>Creates the exception.</summary>
    /// <param name="message">The sentence shown to the user.</param>
    public GraphException(string message)
        : base(message)
    {
    }

    /// <summary>Creates the exception.</summary>
    /// <param name="message">The sentence shown to the user.</param>
    /// <param name="innerException">What happened underneath.</param>
    public GraphException(string message, Exception innerException)
        : base(message, innerException)
    {
    }
}
