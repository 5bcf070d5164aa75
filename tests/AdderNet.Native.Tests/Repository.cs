using System.Diagnostics;
using System.Runtime.CompilerServices;

namespace AdderNet.Native.Tests;

/// <summary>The checkout, what <c>./native</c> has made in it, and programs.</summary>
internal static class Repository
{
    public static string Root { get; } = Path.GetFullPath(Path.Combine(Here(), "..", ".."));

    /// <summary>A file that <c>./native</c> makes; without it the test is skipped.</summary>
    public static string Native(string name)
    {
        string path = Path.Combine(Root, "artifacts", "native", name);
        Assert.SkipUnless(File.Exists(path), $"{name} is not built; ./native does it, with clang or gcc and zlib's development files.");
        return path;
    }

    /// <summary>A program on the path; without it the test is skipped.</summary>
    public static string Program(string name) => (Environment.GetEnvironmentVariable("PATH") ?? "").Split(Path.PathSeparator)
        .Select(folder => Path.Combine(folder, name)).FirstOrDefault(File.Exists) ?? Skipped(name);

    /// <summary>Runs a program to its end.</summary>
    public static (int ExitCode, string Output, string Error) Run(string program, params string[] arguments)
    {
        using Process process = Process.Start(
            new ProcessStartInfo(program, arguments) { RedirectStandardOutput = true, RedirectStandardError = true })!;
        Task<string> error = process.StandardError.ReadToEndAsync();
        string output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        return (process.ExitCode, output, error.Result);
    }

    private static string Skipped(string name)
    {
        Assert.Skip($"{name} is not installed.");
        return name;
    }

    private static string Here([CallerFilePath] string path = "") => Path.GetDirectoryName(path)!;
}
