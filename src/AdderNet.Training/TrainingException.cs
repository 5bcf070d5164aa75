namespace AdderNet.Training;

/// <summary>
/// Training could not start, go on or be saved. The message is for the user: what went wrong, where, and what to do.
/// </summary>
public sealed class TrainingException : Exception
{
    /// <summary>Creates the exception without a message of its own.</summary>
    public TrainingException()
    {
    }

    /// <summary>Creates the exception.</summary>
    /// <param name="message">The sentence shown to the user.</param>
    public TrainingException(string message)
        : base(message)
    {
    }

    /// <summary>Creates the exception.</summary>
    /// <param name="message">The sentence shown to the user.</param>
    /// <param name="innerException">What happened underneath.</param>
    public TrainingException(string message, Exception innerException)
        : base(message, innerException)
    {
    }
}
