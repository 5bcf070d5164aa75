namespace AdderNet.Data;

/// <summary>How far a download is.</summary>
/// <param name="File">The file's name.</param>
/// <param name="ReceivedBytes">Bytes that are here, those of an earlier attempt included.</param>
/// <param name="TotalBytes">Bytes of the whole file; null where the server does not tell.</param>
/// <param name="Waiting">Whether another process is downloading the same data, which this one waits for.</param>
public readonly record struct DownloadProgress(string File, long ReceivedBytes, long? TotalBytes, bool Waiting = false);
