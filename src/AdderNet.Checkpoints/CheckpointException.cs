namespace AdderNet.Checkpoints;

/// <summary>
/// A checkpoint could not be read, written or applied. The message is one sentence for the user: what went wrong, in which
/// file, and what to do about it.
/// </summary>
public sealed class CheckpointException : IOException
{
    /// <summary>Creates the exception without a message of its own.</summary>
    public CheckpointException()
    {
    }

    /// <summary>Creates the exception.</summary>
    /// <param name="message">The sentence shown to the user.</param>
    public CheckpointException(string message)
        : base(message)
    {
    }

    /// <summary>Creates the exception.</summary>
    /// <param name="message">The sentence shown to the user.</param>
    /// <param name="innerException">What happened underneath.</param>
    public CheckpointException(string message, Exception innerException)
        : base(message, innerException)
    {
    }
}
