using System.Buffers.Binary;
using System.Collections.Concurrent;
using System.Security.Cryptography;
using System.Text;

namespace AdderNet.Data;

/// <summary>
/// Finds the image files that can't be read before a training meets them: by their headers and ends, on all processors, and each file
/// only once as long as its size and time stay the same.
/// </summary>
internal static class ImageCheck
{
    private const int TailLength = 1 << 16;

    /// <summary>What is wrong with the files that can't be read, each under its place in <paramref name="files"/>.</summary>
    /// <param name="files">Paths.</param>
    /// <param name="folder">What the files belong to: their results are remembered together.</param>
    /// <param name="progress">Hears while another process is looking at them.</param>
    /// <param name="cancellation">Stops.</param>
    public static SortedDictionary<int, DataException> Problems(
        IReadOnlyList<string> files, string folder, IProgress<DownloadProgress>? progress, CancellationToken cancellation)
    {
        string cache = Path.Combine(DataCache.Folder("checked-images"), Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(Path.GetFullPath(folder))))[..32]);
        // Of processes that start at once on a machine one looks, and the others find what it has found.
        using FileStream? held = Hold(
            cache, () => progress?.Report(new DownloadProgress(folder, 0, null, Waiting: true, IsCheck: true)), cancellation);
        HashSet<ulong> known = Load(cache);
        var problems = new ConcurrentDictionary<int, DataException>();
        var good = new ulong[files.Count];
        int fresh = 0;
        try
        {
            Parallel.For(0, files.Count, new ParallelOptions { CancellationToken = cancellation }, () => new ImageFile.Buffers(), (i, _, buffers) =>
            {
                ulong print = Fingerprint(files[i]);
                if (!known.Contains(print))
                {
                    Interlocked.Exchange(ref fresh, 1);
                    if (Problem(files[i], buffers) is { } problem)
                    {
                        problems[i] = problem;
                        return buffers;
                    }
                }

                good[i] = print;
                return buffers;
            }, _ => { });
        }
        catch (AggregateException e) when (e.InnerExceptions[0] is DataException first)
        {
            throw first;
        }

        if (fresh != 0)
        {
            // What another split of the same folder left there stays.
            Save(cache, [.. known.Union(good)]);
        }

        return new SortedDictionary<int, DataException>(problems);
    }

    /// <summary>What is wrong with a file; null where nothing is.</summary>
    internal static DataException? Problem(string path, ImageFile.Buffers buffers)
    {
        try
        {
            if (!LooksWhole(path))
            {
                ImageFile.Read(path, buffers);
            }

            return null;
        }
        catch (DataException e)
        {
            return e;
        }
    }

    // Only JPEG and PNG tell by their ends that they are whole. Where there is any doubt, decoding decides.
    private static bool LooksWhole(string path)
    {
        using FileStream file = DataFile.Open(path);
        return DataFile.Guard(path, () =>
        {
            if (!file.CanSeek)
            {
                return false;
            }

            byte[] start = new byte[ImageFormats.HeaderLength];
            switch (ImageFormats.Of(start.AsSpan(0, file.ReadAtLeast(start, start.Length, throwOnEndOfStream: false)), path))
            {
                case ImageFormat.Jpeg when JpegHeader.Read(file) is { Pixels: > 0 and <= ImageFile.MaxFullPixels, IsCommon: true } header && header.Pixels <= file.Length * 512:
                    return JpegHeader.HasEnd(Tail(file, header.ScanStart));
                case ImageFormat.Png:
                    (uint width, uint height) = (BinaryPrimitives.ReadUInt32BigEndian(start.AsSpan(16)), BinaryPrimitives.ReadUInt32BigEndian(start.AsSpan(20)));
                    return start.AsSpan(12, 4).SequenceEqual("IHDR"u8) && width > 0 && height > 0 && (long)width * height <= ImageFile.MaxFullPixels
                        && Tail(file, 0).EndsWith<byte>([0, 0, 0, 0, (byte)'I', (byte)'E', (byte)'N', (byte)'D', 0xAE, 0x42, 0x60, 0x82]);
                default:
                    return false;
            }
        });
    }

    private static ReadOnlySpan<byte> Tail(FileStream file, long from)
    {
        file.Position = Math.Min(file.Length, Math.Max(from, file.Length - TailLength));
        byte[] tail = new byte[file.Length - file.Position];
        return tail.AsSpan(0, file.ReadAtLeast(tail, tail.Length, throwOnEndOfStream: false));
    }

    private static ulong Fingerprint(string path)
    {
        var info = new FileInfo(path);
        (long length, long time, int mode) = info.Exists ? (info.Length, info.LastWriteTimeUtc.Ticks, (int)info.UnixFileMode) : (-1, -1, -1);
        return BinaryPrimitives.ReadUInt64LittleEndian(
            SHA256.HashData(Encoding.UTF8.GetBytes($"2\n{Path.GetFullPath(path)}\n{length}\n{time}\n{mode}")));
    }

    private static FileStream? Hold(string cache, Action waiting, CancellationToken cancellation)
    {
        try
        {
            return LockFile.Hold($"{cache}.lock", waiting, cancellation);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // Without a place to remember anything each process looks for itself.
            return null;
        }
    }

    private static HashSet<ulong> Load(string cache)
    {
        try
        {
            byte[] bytes = File.ReadAllBytes(cache);
            return [.. Enumerable.Range(0, bytes.Length / 8).Select(i => BinaryPrimitives.ReadUInt64LittleEndian(bytes.AsSpan(8 * i)))];
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return [];
        }
    }

    private static void Save(string cache, ulong[] prints)
    {
        try
        {
            Directory.CreateDirectory(Path.GetDirectoryName(cache)!);
            byte[] bytes = new byte[8 * prints.Length];
            for (int i = 0; i < prints.Length; i++)
            {
                BinaryPrimitives.WriteUInt64LittleEndian(bytes.AsSpan(8 * i), prints[i]);
            }

            string temporary = $"{cache}.{Guid.NewGuid():N}.tmp";
            File.WriteAllBytes(temporary, bytes);
            File.Move(temporary, cache, overwrite: true);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // The next time checks again; nothing else depends on it.
        }
    }
}
