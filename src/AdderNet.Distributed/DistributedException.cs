namespace AdderNet.Distributed;

/// <summary>Processes can't compute together; the message says what is wrong and what to do.</summary>
public sealed class DistributedException : Exception
{
    /// <summary>Creates the exception without a message of its own.</summary>
    public DistributedException()
    {
    }

    /// <summary>Creates the exception.</summary>
    /// <param name="message">The sentence shown to the user.</param>
    public DistributedException(string message)
        : base(message)
    {
    }

    /// <summary>Creates the exception.</summary>
    /// <param name="message">The sentence shown to the user.</param>
    /// <param name="innerException">What happened underneath.</param>
    public DistributedException(string message, Exception? innerException)
        : base(message, innerException)
    {
    }
}

/// <summary>
/// Another rank failed, and all of them end. It tells of it itself: whoever catches this has nothing to say.
/// </summary>
public sealed class PeerException : Exception
{
    /// <summary>Creates the exception without a message of its own.</summary>
    public PeerException()
    {
    }

    /// <summary>Creates the exception.</summary>
    /// <param name="message">The sentence.</param>
    public PeerException(string message)
        : base(message)
    {
    }

    /// <summary>Creates the exception.</summary>
    /// <param name="message">The sentence.</param>
    /// <param name="innerException">What happened underneath.</param>
    public PeerException(string message, Exception? innerException)
        : base(message, innerException)
    {
    }
}
