using System.Buffers.Binary;
using System.Text;

namespace AdderNet.Data.Tests;

/// <summary>CIFAR as torchvision downloads it.</summary>
public sealed class CifarPythonTests : IDisposable
{
    private readonly TempFolder folder = new();

    public void Dispose() => folder.Dispose();

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void The_Python_version_has_the_binary_versions_images(bool python2)
    {
        var members = new List<(string, byte[])>();
        foreach (string name in new[] { "data_batch_1", "data_batch_2", "data_batch_3", "data_batch_4", "data_batch_5", "test_batch" })
        {
            byte[] records = Samples.Cifar(7, first: members.Count);
            folder.Write($"bin/{name}.bin", records);
            byte[] pickle = Pickle(records, 1, "labels", python2);
            folder.Write($"py/cifar-10-batches-py/{name}", pickle);
            members.Add(($"cifar-10-batches-py/{name}", pickle));
        }

        string archive = folder.Write("tar/cifar-10-python.tar.gz", Samples.Gzip(Samples.Tar(members)));
        foreach (bool train in new[] { true, false })
        {
            Dataset expected = Datasets.Open("cifar10", train, folder["bin"]);
            foreach (string place in new[] { folder["py"], folder["py/cifar-10-batches-py"], folder["tar"], archive })
            {
                Same(expected, Datasets.Open("cifar10", train, place));
            }
        }
    }

    [Fact]
    public void CIFAR_100_is_read_by_its_fine_labels()
    {
        byte[] records = Samples.Cifar(5, labelBytes: 2, classes: 100, first: 40);
        folder.Write("bin/train.bin", records);
        folder.Write("py/cifar-100-python/train", Pickle(records, 2, "fine_labels", python2: true));
        Same(Datasets.Open("cifar100", true, folder["bin"]), Datasets.Open("cifar100", true, folder["py"]));
    }

    [Fact]
    public void What_is_no_such_pickle_is_told()
    {
        byte[] pickle = Pickle(Samples.Cifar(3), 1, "labels", python2: false);
        void Says(byte[] file) => Refused.Says(() => CifarPickle.Read(new MemoryStream(file), "it", "labels"), "it is not CIFAR's Python version");
        Says([]);
        Says(pickle[..^50]);
        Says([0x80, 2, (byte)'c', .. "os\nsystem\n"u8, (byte)'U', 2, .. "ls"u8, 0x85, (byte)'R', (byte)'.']);
        Refused.Says(() => CifarPickle.Read(new MemoryStream(pickle), "it", "fine_labels"), "it is not");
        Fuzz.Check(pickle[..400], file => CifarPickle.Read(new MemoryStream([.. file, .. pickle[400..]]), "it", "labels"), typeof(DataException));
    }

    private static void Same(Dataset expected, Dataset actual)
    {
        Assert.Equal(expected.Labels.ToArray(), actual.Labels.ToArray());
        for (int i = 0; i < expected.Count; i++)
        {
            Assert.Equal(expected.Read(i).Pixels.ToArray(), actual.Read(i).Pixels.ToArray());
        }
    }

    // As numpy and Python 2 wrote the official files, or as Python 3 writes protocol 2.
    private static byte[] Pickle(byte[] records, int labelBytes, string labels, bool python2)
    {
        int length = labelBytes + 3072, count = records.Length / length;
        byte[] planes = [.. Enumerable.Range(0, count).SelectMany(i => records[(i * length + labelBytes)..((i + 1) * length)])];
        var pickle = new List<byte>([0x80, 2, (byte)'}', (byte)'(']);
        Bytes("batch_label"u8.ToArray());
        Bytes("x"u8.ToArray());
        Bytes("data"u8.ToArray());
        pickle.AddRange([.. "cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\0"u8, 0x85]);
        Bytes("b"u8.ToArray());
        pickle.AddRange([0x87, (byte)'R', (byte)'(', (byte)'K', 1]);
        Number(count);
        Number(3072);
        pickle.AddRange([0x86, .. "cnumpy\ndtype\n"u8]);
        Text("u1");
        pickle.AddRange([(byte)'K', 0, (byte)'K', 1, 0x87, (byte)'R', (byte)'(', (byte)'K', 3]);
        Text("|");
        pickle.AddRange([.. "NNN"u8, (byte)'J', 255, 255, 255, 255, (byte)'J', 255, 255, 255, 255, (byte)'K', 0, (byte)'t', (byte)'b', 0x89]);
        Bytes(planes);
        pickle.AddRange([(byte)'t', (byte)'b']);
        Bytes(Encoding.ASCII.GetBytes(labels));
        pickle.AddRange([(byte)']', (byte)'(']);
        for (int i = 0; i < count; i++)
        {
            Number(records[i * length + labelBytes - 1]);
        }

        pickle.AddRange([(byte)'e', (byte)'u', (byte)'.']);
        return [.. pickle];

        void Number(int value) => pickle.AddRange([(byte)'M', (byte)value, (byte)(value >> 8)]);

        void Text(string text) => pickle.AddRange([(byte)'X', .. Length(text.Length), .. Encoding.ASCII.GetBytes(text)]);

        void Bytes(byte[] bytes)
        {
            if (python2)
            {
                pickle.AddRange(bytes.Length < 256 ? [(byte)'U', (byte)bytes.Length] : [(byte)'T', .. Length(bytes.Length)]);
                pickle.AddRange(bytes);
                return;
            }

            byte[] utf8 = Encoding.UTF8.GetBytes(Encoding.Latin1.GetString(bytes));
            pickle.AddRange([.. "c_codecs\nencode\nX"u8, .. Length(utf8.Length), .. utf8, (byte)'X', .. Length(6), .. "latin1"u8, 0x86, (byte)'R']);
        }

        static byte[] Length(int value)
        {
            byte[] bytes = new byte[4];
            BinaryPrimitives.WriteInt32LittleEndian(bytes, value);
            return bytes;
        }
    }
}
