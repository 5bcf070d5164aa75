using System.IO.Compression;

namespace AdderNet.Data;

/// <summary>
/// CIFAR-10 and CIFAR-100 in the official binary layout: records of a label byte (two for CIFAR-100: coarse, fine) and
/// 32 x 32 bytes each of red, green and blue; as plain files, or straight out of the official .tar.gz.
/// </summary>
internal static class CifarDataset
{
    private const int Side = 32, PlaneLength = Side * Side, ImageLength = 3 * PlaneLength;

    // The official archives unpack to 184 MB; what is far beyond is no such archive.
    private const long MaxUnpacked = 512L << 20;

    /// <summary>Reads files of records, or of Python pickles.</summary>
    public static Dataset LoadFiles(DatasetInfo info, int labelBytes, IReadOnlyList<string> paths, bool pickled = false)
    {
        var records = new Records(info, labelBytes);
        foreach (string path in paths)
        {
            using FileStream file = DataFile.Open(path);
            if (pickled)
            {
                records.AddPickle(file, path);
            }
            else
            {
                records.Add(file, file.Length, path);
            }
        }

        return records.ToDataset();
    }

    public static Dataset LoadArchive(DatasetInfo info, int labelBytes, string path, IReadOnlyList<string> members)
    {
        using FileStream file = DataFile.Open(path);
        return LoadArchive(info, labelBytes, file, path, members);
    }

    /// <summary>
    /// Reads the named members in memory. Nothing is written anywhere, so that no name in an archive can lead out of a folder.
    /// </summary>
    public static Dataset LoadArchive(DatasetInfo info, int labelBytes, Stream file, string path, IReadOnlyList<string> members)
    {
        var found = new SortedDictionary<int, Records>();
        DataFile.Guard(path, () =>
        {
            using var unzipped = new GZipStream(file, CompressionMode.Decompress, leaveOpen: true);
            long total = 0;
            while (found.Count < members.Count && Tar.TryReadHeader(unzipped, out string? name, out long length))
            {
                long padding = Tar.Padding(length);
                total += Tar.Block + length + padding;
                if (total > MaxUnpacked)
                {
                    throw new InvalidDataException($"it unpacks to more than {MaxUnpacked:N0} bytes");
                }

                int index = name is null ? -1 : Array.FindIndex([.. members], member => member == name || Pickled(member) == name);
                if (index >= 0 && !found.ContainsKey(index))
                {
                    var records = new Records(info, labelBytes);
                    if (name == members[index])
                    {
                        records.Add(unzipped, length, $"{name} in {path}");
                    }
                    else
                    {
                        byte[] pickle = new byte[length];
                        unzipped.ReadExactly(pickle);
                        records.AddPickle(new MemoryStream(pickle), $"{name} in {path}");
                    }

                    found.Add(index, records);
                    length = 0;
                }

                Skip(unzipped, length + padding);
            }

            return true;
        });
        for (int i = 0; i < members.Count; i++)
        {
            if (!found.ContainsKey(i))
            {
                throw new DataException($"{path} lacks {members[i]}; get {info.Title}'s binary version from {info.Source}.");
            }
        }

        return Records.Join(info, [.. found.Values]);
    }

    /// <summary>What the Python version calls a file of the binary one.</summary>
    public static string Pickled(string member) => Path.ChangeExtension(member, null)
        .Replace("cifar-10-batches-bin/", "cifar-10-batches-py/", StringComparison.Ordinal)
        .Replace("cifar-100-binary/", "cifar-100-python/", StringComparison.Ordinal);

    private static void Skip(Stream stream, long length)
    {
        Span<byte> ignored = stackalloc byte[4096];
        for (int count; length > 0; length -= count)
        {
            count = (int)Math.Min(length, ignored.Length);
            stream.ReadExactly(ignored[..count]);
        }
    }

    /// <summary>Gathers records, turning colour planes into interleaved pixels.</summary>
    internal sealed class Records(DatasetInfo info, int labelBytes)
    {
        private readonly List<byte[]> images = [];
        private readonly List<int> labels = [];

        public void Add(Stream content, long length, string path) => DataFile.Guard(path, () =>
        {
            int recordLength = labelBytes + ImageLength;
            if (length == 0 || length % recordLength != 0)
            {
                throw new DataException($"{path} has {length:N0} bytes, which is no whole number of {info.Title} records of {recordLength} bytes; get it again.");
            }

            if (length / recordLength > Array.MaxLength / ImageLength)
            {
                throw new DataException($"{path} has {length:N0} bytes, more than a {info.Title} file can have; check that it is the right file.");
            }

            int count = (int)(length / recordLength);
            byte[] record = new byte[recordLength];
            // In blocks of 3 MB, so that memory grows with what is really there.
            for (int done = 0; done < count;)
            {
                byte[] block = new byte[Math.Min(count - done, 1024) * ImageLength];
                for (int at = 0; at < block.Length; at += ImageLength, done++)
                {
                    content.ReadExactly(record);
                    int label = record[labelBytes - 1];
                    if (label >= info.Classes)
                    {
                        throw new DataException($"{path} gives image {done} the label {label}, but {info.Title} has {info.Classes} classes (0 to {info.Classes - 1}); check that it is the right file.");
                    }

                    labels.Add(label);
                    Interleave(record.AsSpan(labelBytes), block.AsSpan(at, ImageLength));
                }

                images.Add(block);
            }

            return true;
        });

        /// <summary>Adds a file of the Python version.</summary>
        public void AddPickle(Stream content, string path) => DataFile.Guard(path, () =>
        {
            (byte[] planes, long[] found) = CifarPickle.Read(content, path, labelBytes == 1 ? "labels" : "fine_labels");
            byte[] block = new byte[planes.Length];
            for (int i = 0; i < found.Length; i++)
            {
                if (found[i] < 0 || found[i] >= info.Classes)
                {
                    throw new DataException($"{path} gives image {i} the label {found[i]}, but {info.Title} has {info.Classes} classes (0 to {info.Classes - 1}); check that it is the right file.");
                }

                labels.Add((int)found[i]);
                Interleave(planes.AsSpan(i * ImageLength, ImageLength), block.AsSpan(i * ImageLength, ImageLength));
            }

            images.Add(block);
            return true;
        });

        public Dataset ToDataset() => Join(info, [this]);

        public static Dataset Join(DatasetInfo info, IReadOnlyList<Records> parts)
        {
            int[] labels = [.. parts.SelectMany(part => part.labels)];
            byte[] pixels = new byte[(long)labels.Length * ImageLength <= Array.MaxLength
                ? labels.Length * ImageLength
                : throw new DataException($"{labels.Length} {info.Title} images do not fit in memory at once; use fewer.")];
            int at = 0;
            foreach (byte[] block in parts.SelectMany(part => part.images))
            {
                block.CopyTo(pixels, at);
                at += block.Length;
            }

            return Dataset.FromMemory(info, pixels, labels);
        }

        private static void Interleave(ReadOnlySpan<byte> planes, Span<byte> pixels)
        {
            ReadOnlySpan<byte> r = planes[..PlaneLength], g = planes.Slice(PlaneLength, PlaneLength), b = planes.Slice(2 * PlaneLength, PlaneLength);
            for (int i = 0; i < PlaneLength; i++)
            {
                pixels[3 * i] = r[i];
                pixels[3 * i + 1] = g[i];
                pixels[3 * i + 2] = b[i];
            }
        }
    }
}
