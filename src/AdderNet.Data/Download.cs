using System.Net;
using System.Net.Http.Headers;

namespace AdderNet.Data;

/// <summary>Why a file could not be had from any of its mirrors; the message is part of a sentence.</summary>
internal sealed class DownloadException(string message, Exception? inner = null) : Exception(message, inner);

/// <summary>Downloads one file next to its final place (NAME.part), continues what was interrupted, checks it and renames it.</summary>
internal static class Download
{
    private const int Attempts = 4;

    private static readonly TimeSpan ConnectPatience = TimeSpan.FromSeconds(20);

    private static readonly HttpClient Client = new(new SocketsHttpHandler
    {
        ConnectTimeout = ConnectPatience,
        // The bytes as they are published: the hash is over these.
        AutomaticDecompression = DecompressionMethods.None,
    })
    { Timeout = Timeout.InfiniteTimeSpan };

    /// <summary>Longest silence of a server before the transfer counts as interrupted.</summary>
    internal static TimeSpan Patience { get; set; } = TimeSpan.FromSeconds(60);

    /// <summary>Brings a checked copy of <paramref name="file"/> to <paramref name="path"/>. The caller holds the folder's lock.</summary>
    /// <exception cref="DownloadException">No mirror gave a good copy.</exception>
    /// <exception cref="IOException">The copy could not be written.</exception>
    public static async Task Fetch(OfficialFile file, string path, IProgress<DownloadProgress>? progress, CancellationToken cancellation)
    {
        string part = path + ".part";
        List<DownloadException> failures = [];
        foreach (string url in file.Urls)
        {
            try
            {
                await FetchFrom(url, file, part, progress, cancellation).ConfigureAwait(false);
                File.Move(part, path, overwrite: true);
                return;
            }
            catch (DownloadException e)
            {
                failures.Add(e);
            }
        }

        throw new DownloadException(string.Join("; ", failures.Select(e => e.Message)), failures[0]);
    }

    private static async Task FetchFrom(
        string url, OfficialFile file, string part, IProgress<DownloadProgress>? progress, CancellationToken cancellation)
    {
        for (int attempt = 1; ; attempt++)
        {
            long before = Length(part);
            try
            {
                bool resumed = await Transfer(url, file, part, progress, cancellation).ConfigureAwait(false);
                if (file.Matches(part))
                {
                    return;
                }

                File.Delete(part);
                // Perhaps what was continued had begun as another version: once more from the start.
                if (!resumed)
                {
                    throw new DownloadException($"{url} gave a file whose SHA-256 is not the published one");
                }
            }
            catch (Exception e) when (e is HttpRequestException or TimeoutException)
            {
                // A server that got somewhere deserves another attempt; what has arrived is kept in any case.
                if (attempt >= Attempts || Length(part) <= before)
                {
                    throw new DownloadException(NetworkFailure.Describe(new Uri(url), e), e);
                }
            }
        }
    }

    // True where it continued an earlier part.
    private static async Task<bool> Transfer(
        string url, OfficialFile file, string part, IProgress<DownloadProgress>? progress, CancellationToken cancellation)
    {
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        try
        {
            long have = Length(part);
            using var request = new HttpRequestMessage(HttpMethod.Get, url);
            request.Headers.UserAgent.Add(new ProductInfoHeaderValue("AdderNet", typeof(Download).Assembly.GetName().Version!.ToString(3)));
            if (have > 0)
            {
                request.Headers.Range = new RangeHeaderValue(have, null);
            }

            patience.CancelAfter(Patience);
            using HttpResponseMessage response = await Client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, patience.Token).ConfigureAwait(false);
            if (response.StatusCode == HttpStatusCode.RequestedRangeNotSatisfiable && have > 0)
            {
                // Nothing is missing, or the part is of something else; the hash will tell.
                return true;
            }

            if (response.StatusCode == HttpStatusCode.ProxyAuthenticationRequired)
            {
                throw new DownloadException($"{request.RequestUri!.Host}: {NetworkFailure.ProxyWantsPassword(request.RequestUri)}");
            }

            if (!response.IsSuccessStatusCode)
            {
                throw new DownloadException($"{url} answered {(int)response.StatusCode} {response.ReasonPhrase}");
            }

            bool resumed = response.StatusCode == HttpStatusCode.PartialContent && response.Content.Headers.ContentRange?.From == have;
            long start = resumed ? have : 0;
            long? total = start + response.Content.Headers.ContentLength;
            if (total > file.MaxDownload)
            {
                throw new DownloadException($"{url} offers {total:N0} bytes, but at most {file.MaxDownload:N0} are expected");
            }

            Stream body = await response.Content.ReadAsStreamAsync(patience.Token).ConfigureAwait(false);
            await using (body.ConfigureAwait(false))
            {
                await Save(body, part, start, total, url, file, progress, patience).ConfigureAwait(false);
            }

            return resumed;
        }
        catch (OperationCanceledException e) when (!cancellation.IsCancellationRequested)
        {
            TimeSpan waited = patience.IsCancellationRequested ? Patience : ConnectPatience;
            throw new TimeoutException($"no answer for {waited.TotalSeconds:0} seconds", e);
        }
    }

    private static async Task Save(
        Stream body, string part, long start, long? total, string url, OfficialFile file, IProgress<DownloadProgress>? progress, CancellationTokenSource patience)
    {
        var target = new FileStream(part, FileMode.OpenOrCreate, FileAccess.Write, FileShare.None, bufferSize: 0);
        await using (target.ConfigureAwait(false))
        {
            target.SetLength(start);
            target.Position = start;
            byte[] buffer = new byte[1 << 16];
            while (true)
            {
                progress?.Report(new DownloadProgress(file.Name, target.Position, total));
                patience.CancelAfter(Patience);
                int read;
                try
                {
                    read = await body.ReadAsync(buffer, patience.Token).ConfigureAwait(false);
                }
                catch (IOException e)
                {
                    // The network's failure, not the disk's.
                    throw new HttpRequestException($"the transfer broke off after {target.Position:N0} bytes", e);
                }

                if (read == 0)
                {
                    break;
                }

                if (target.Position + read > file.MaxDownload)
                {
                    target.SetLength(0);
                    throw new DownloadException($"{url} sends more than the {file.MaxDownload:N0} bytes expected");
                }

                await target.WriteAsync(buffer.AsMemory(0, read), CancellationToken.None).ConfigureAwait(false);
            }
        }
    }

    private static long Length(string path) => File.Exists(path) ? new FileInfo(path).Length : 0;
}
