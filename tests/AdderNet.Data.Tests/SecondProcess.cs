using System.Diagnostics;
using Xunit.MicrosoftTestingPlatform;
using Xunit.Runner.InProc.SystemConsole;

namespace AdderNet.Data.Tests;

/// <summary>
/// This test program started again to download into a cache folder as another process: it writes a line at each step of
/// the download and at the end what it read.
/// </summary>
internal sealed class SecondProcess : IDisposable
{
    private const string Variable = "ADDERNET_TEST_SECOND_PROCESS";

    private readonly Process process;
    private readonly List<string> lines = [];

    public SecondProcess(string cache, string url, OfficialFile archive, params (string Name, string Value)[] environment)
    {
        var start = new ProcessStartInfo(Environment.ProcessPath!) { RedirectStandardOutput = true, UseShellExecute = false };
        if (Path.GetFileNameWithoutExtension(Environment.ProcessPath!).Equals("dotnet", StringComparison.OrdinalIgnoreCase))
        {
            start.ArgumentList.Add(typeof(SecondProcess).Assembly.Location);
        }

        start.Environment[Variable] = $"{url}|{archive.Bytes}|{archive.Sha256}";
        start.Environment["ADDERNET_CACHE"] = cache;
        foreach ((string name, string value) in environment)
        {
            start.Environment[name] = value;
        }

        process = Process.Start(start)!;
        process.OutputDataReceived += (_, line) =>
        {
            lock (lines)
            {
                lines.Add(line.Data ?? "the end");
                Monitor.PulseAll(lines);
            }
        };
        process.BeginOutputReadLine();
    }

    /// <summary>Waits for a line that begins so, and returns it.</summary>
    public string WaitFor(string beginning)
    {
        lock (lines)
        {
            while (true)
            {
                if (lines.Find(line => line.StartsWith(beginning, StringComparison.Ordinal)) is { } found)
                {
                    return found;
                }

                Assert.DoesNotContain("the end", lines);
                Monitor.Wait(lines);
            }
        }
    }

    public void Kill()
    {
        process.Kill();
        process.WaitForExit();
    }

    public void Dispose()
    {
        if (!process.HasExited)
        {
            Kill();
        }

        process.Dispose();
    }

    /// <summary>The program's entry point: the second process's part where it is one, else the test runner's.</summary>
    public static Task<int> Main(string[] args)
    {
        if (Environment.GetEnvironmentVariable(Variable)?.Split('|') is [string url, string bytes, string sha256])
        {
            var archive = new OfficialFile("cifar-10-binary.tar.gz", long.Parse(bytes, null), sha256, HashUnzipped: false, [url]);
            try
            {
                Dataset dataset = DownloadTests.Source(archive).Open(train: true, dataDir: null, new Report(), CancellationToken.None);
                Console.WriteLine($"read {dataset.Count} {string.Join(',', dataset.Labels.ToArray())}");
            }
            catch (DataException e)
            {
                Console.WriteLine($"refused {e.Message}");
            }

            return Task.FromResult(0);
        }

        // As xunit's generated entry point does: dotnet test asks for a server, people for the console.
        return args.Contains("--server")
            ? TestPlatformTestFramework.RunAsync(args, SelfRegisteredExtensions.AddSelfRegisteredExtensions)
            : ConsoleRunner.Run(args);
    }

    private sealed class Report : IProgress<DownloadProgress>
    {
        void IProgress<DownloadProgress>.Report(DownloadProgress value) =>
            Console.WriteLine(value.Waiting ? "waiting" : value.ReceivedBytes > 0 ? "received some" : "asked");
    }
}
