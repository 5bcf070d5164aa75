namespace AdderNet.Data;

/// <summary>How far a download is, or what is waited for.</summary>
/// <param name="File">The file's name; of a check the folder's.</param>
/// <param name="ReceivedBytes">Bytes that are here, those of an earlier attempt included.</param>
/// <param name="TotalBytes">Bytes of the whole file; null where the server does not tell.</param>
/// <param name="Waiting">Whether another process is downloading the same data or checking the same images, which this one waits for.</param>
/// <param name="IsCheck">Whether it is about a check of image files.</param>
public readonly record struct DownloadProgress(string File, long ReceivedBytes, long? TotalBytes, bool Waiting = false, bool IsCheck = false);
