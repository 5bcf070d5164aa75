namespace AdderNet.Data;

/// <summary>
/// A problem with data that its user can solve: the message is one sentence that says what is wrong, where, and what to do.
/// </summary>
public sealed class DataException : Exception
{
    /// <summary>Which problem it is, for programs that say in their own words what to do about it.</summary>
    public DataProblem Problem { get; init; }

    /// <summary>Whether it is a file that begins as an image of its format, but holds none.</summary>
    internal bool HoldsNoImage { get; init; }

    /// <summary>A problem told in one sentence.</summary>
    public DataException(string message) : base(message) { }

    /// <summary>A problem told in one sentence, with what it consists of.</summary>
    public DataException(string message, IReadOnlyList<string> details) : base(message) => Details = details;

    /// <summary>Its parts, a sentence each, where there are several: the files that can't be read, for example.</summary>
    public IReadOnlyList<string> Details { get; } = [];

    /// <summary>A problem told in one sentence, with what caused it.</summary>
    public DataException(string message, Exception innerException) : base(message, innerException) { }
}

/// <summary>Problems with data that a program may want to tell apart.</summary>
public enum DataProblem
{
    /// <summary>Any other; the message says all there is to say.</summary>
    Other,

    /// <summary>The data set has no download and no folder was named.</summary>
    NoDownload,

    /// <summary>The folder that was named is none.</summary>
    NoSuchFolder,

    /// <summary>A folder was named where a data set's name belongs.</summary>
    FolderForName,

    /// <summary>A file of the system's is not the published one.</summary>
    WrongSystemFile,

    /// <summary>Image files of a folder can't be read.</summary>
    DamagedImages,
}
