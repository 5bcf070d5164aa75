using System.Diagnostics;

namespace AdderNet.Export.Tests;

/// <summary>Programs that the tests use where they are installed.</summary>
internal static class Tool
{
    /// <summary>The path of a program; the test is skipped where there is none.</summary>
    public static string Find(string name, string package)
    {
        string[] folders = (Environment.GetEnvironmentVariable("PATH") ?? "").Split(Path.PathSeparator);
        string? path = folders.Select(folder => Path.Combine(folder, name)).FirstOrDefault(File.Exists);
        Assert.SkipWhen(path is null, $"needs {name} (Debian's {package})");
        return path;
    }

    /// <summary>Runs a program to its end and gives what it printed; it must succeed.</summary>
    public static string Run(string folder, string program, params string[] arguments)
    {
        using var process = Process.Start(new ProcessStartInfo(program, arguments)
        {
            WorkingDirectory = folder,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            RedirectStandardInput = true,
        })!;
        process.StandardInput.Close();
        Task<string> errors = process.StandardError.ReadToEndAsync();
        string output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        Assert.True(process.ExitCode == 0, $"{program} {string.Join(' ', arguments)} gave {process.ExitCode}: {output}{errors.Result}");
        return output;
    }
}
