namespace AdderNet.Training;

/// <summary>
/// Training could not start, go on or be saved. The message is for the user: what went wrong, where, and what to do.
/// </summary>
public sealed class TrainingException : Exception
{
    /// <summary>Which problem it is, for programs that say in their own words what to do about it.</summary>
    public TrainingProblem Problem { get; init; }

    /// <summary>The run's folder, where the problem is about one that can be continued.</summary>
    public string? Folder { get; init; }

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
    public TrainingException(string message, Exception? innerException)
        : base(message, innerException)
    {
    }
}

/// <summary>Problems of training that a program may want to tell apart.</summary>
public enum TrainingProblem
{
    /// <summary>Any other; the message says all there is to say.</summary>
    Other,

    /// <summary>The folder for a new run holds a run already: <see cref="TrainingException.Folder"/>.</summary>
    FolderHoldsRun,

    /// <summary>The folder for a new run is a file.</summary>
    FolderIsFile,

    /// <summary>The folder for a new run holds other files.</summary>
    FolderNotEmpty,

    /// <summary>A weight file does not say what model it is of.</summary>
    UnknownModel,

    /// <summary>Training stopped, and <see cref="TrainingException.Folder"/> holds what was learned until then.</summary>
    Stopped,
}
