namespace AdderNet.Inference;

/// <summary>A network can't be run or quantized. The message is for the user: what, where, and what to do.</summary>
public sealed class InferenceException : Exception
{
    /// <summary>Creates the exception without a message of its own.</summary>
    public InferenceException()
    {
    }

    /// <summary>Creates the exception.</summary>
    /// <param name="message">The sentence shown to the user.</param>
    public InferenceException(string message)
        : base(message)
    {
    }

    /// <summary>Creates the exception.</summary>
    /// <param name="message">The sentence shown to the user.</param>
    /// <param name="innerException">What happened underneath.</param>
    public InferenceException(string message, Exception innerException)
        : base(message, innerException)
    {
    }
}
