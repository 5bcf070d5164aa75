using System.Diagnostics;
using System.IO.Compression;
using System.Text;

namespace AdderNet.Checkpoints.Tests;

internal static class TestFiles
{
    /// <summary>The path of a file that the tests bring along.</summary>
    public static string Path(string name) => System.IO.Path.Combine(AppContext.BaseDirectory, "TestData", name);

    /// <summary>A pickle written as text: each character is one byte.</summary>
    public static byte[] Pickle(string program) => Encoding.Latin1.GetBytes(program);

    /// <summary>A .pth file with this pickle and these storages.</summary>
    public static MemoryStream PyTorchZip(
        byte[] pickle, CompressionLevel level = CompressionLevel.NoCompression, params (string Name, byte[] Data)[] entries)
    {
        MemoryStream stream = new();
        using (ZipArchive zip = new(stream, ZipArchiveMode.Create, leaveOpen: true))
        {
            foreach ((string name, byte[] data) in entries.Prepend(("archive/data.pkl", pickle)))
            {
                using Stream entry = zip.CreateEntry(name, level).Open();
                entry.Write(data);
            }
        }
        stream.Position = 0;
        return stream;
    }

    /// <summary>A zip archive (with the 64-bit end record) that is hardly more than its directory: entries of no bytes, with names of some length.</summary>
    public static MemoryStream CrowdedZip(int entries, long claimed, int nameLength)
    {
        byte[] header = [.. "PK\x01\x02"u8, .. new byte[42 + nameLength]];
        header[28] = (byte)nameLength;
        MemoryStream stream = new(entries * header.Length + 200);
        stream.Write("PK\x03\x04"u8);
        for (int i = 0; i < entries; i++)
        {
            for (int c = 0; c < nameLength; c++) header[46 + c] = (byte)('A' + (i >> (4 * c) & 15));
            stream.Write(header);
        }
        long size = stream.Length - 4;
        using BinaryWriter end = new(stream, Encoding.ASCII, leaveOpen: true);
        end.Write("PK\x06\x06"u8);
        end.Write(44L);
        end.Write(0x002D_002D); // versions
        end.Write(0L); // disks
        end.Write(claimed);
        end.Write(claimed);
        end.Write(size);
        end.Write(4L); // where the directory starts
        end.Write("PK\x06\x07"u8);
        end.Write(0);
        end.Write(4 + size);
        end.Write(1);
        end.Write("PK\x05\x06"u8);
        end.Write(0); // disks
        end.Write(-1); // both counts, the directory's size and its place: see the 64-bit record
        end.Write(-1L);
        end.Write((short)0);
        stream.Position = 0;
        return stream;
    }

    /// <summary>Fails unless names, order, element types, shapes and every byte are the same.</summary>
    public static void AssertSame(OrderedDictionary<string, TensorData> expected, OrderedDictionary<string, TensorData> actual)
    {
        Assert.Equal(expected.Keys, actual.Keys);
        foreach ((string name, TensorData tensor) in expected)
        {
            Assert.Equal(tensor.ToString(), actual[name].ToString());
            Assert.True(tensor.Data.Span.SequenceEqual(actual[name].Data.Span), name);
        }
    }

    /// <summary>Runs a Python script with PyTorch; skips the test where there is none.</summary>
    public static string Python(string script, params string[] arguments)
    {
        const string python = "/usr/bin/python3";
        Assert.SkipUnless(
            File.Exists(python) && Run(python, "import torch").ExitCode == 0,
            "needs /usr/bin/python3 with PyTorch (Debian's python3-torch)");
        (int exitCode, string output, string error) = Run(python, script, arguments);
        Assert.True(exitCode == 0, error);
        return output;
    }

    private static (int ExitCode, string Output, string Error) Run(string python, string script, params string[] arguments)
    {
        ProcessStartInfo start = new(python, ["-c", script, .. arguments]) { RedirectStandardOutput = true, RedirectStandardError = true };
        using Process process = Process.Start(start)!;
        Task<string> error = process.StandardError.ReadToEndAsync();
        string output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        return (process.ExitCode, output, error.Result);
    }
}
