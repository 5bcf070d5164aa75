using System.IO.Compression;
using System.Security.Cryptography;

namespace AdderNet.Data;

/// <summary>A published file and the SHA-256 that tells a good copy.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Bytes">The exact length of what the hash is over; a copy on the network may not be longer, compressed or not.</param>
/// <param name="Sha256">Lower-case hexadecimal.</param>
/// <param name="HashUnzipped">Whether the hash is over the content of a .gz, which different mirrors have compressed differently.</param>
/// <param name="Urls">Where it is served, the preferred place first.</param>
internal sealed record OfficialFile(string Name, long Bytes, string Sha256, bool HashUnzipped, IReadOnlyList<string> Urls)
{
    /// <summary>Most bytes that a download may have: a gzip wrapper adds little to what cannot be compressed.</summary>
    public long MaxDownload => HashUnzipped ? Bytes + Bytes / 100 + 1024 : Bytes;

    /// <summary>Whether <paramref name="path"/> is a whole and unchanged copy.</summary>
    /// <exception cref="DataException">It cannot be read.</exception>
    public bool Matches(string path)
    {
        using FileStream file = DataFile.Open(path);
        try
        {
            using Stream? unzipped = HashUnzipped && Idx.IsGzip(file) ? new GZipStream(file, CompressionMode.Decompress, leaveOpen: true) : null;
            using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
            byte[] buffer = new byte[1 << 16];
            long length = 0;
            for (int read; length <= Bytes && (read = (unzipped ?? file).Read(buffer)) > 0; length += read)
            {
                hash.AppendData(buffer, 0, read);
            }

            return length == Bytes && Convert.ToHexStringLower(hash.GetHashAndReset()) == Sha256;
        }
        catch (InvalidDataException)
        {
            return false;
        }
        catch (IOException e)
        {
            throw new DataException($"{path} cannot be read: {DataFile.OneLine(e)}", e);
        }
    }
}
