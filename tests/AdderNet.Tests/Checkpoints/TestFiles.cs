using System.Diagnostics;
using System.IO.Compression;
using System.Text;

namespace AdderNet.Tests.Checkpoints;

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
