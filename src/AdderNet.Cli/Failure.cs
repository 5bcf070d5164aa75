using System.Reflection;
using System.Runtime.InteropServices;
using AdderNet.Checkpoints;
using AdderNet.Data;
using AdderNet.Distributed;
using AdderNet.Graph;
using AdderNet.Inference;
using AdderNet.Reproduction;
using AdderNet.Training;

namespace AdderNet.Cli;

/// <summary>Tells users what went wrong, in one sentence.</summary>
internal static class Failure
{
    /// <summary>Writes the sentence (and the trace, where ADDERNET_TRACE asks for it) and returns the exit code.</summary>
    /// <param name="exception">What went wrong.</param>
    /// <param name="error">Where to write.</param>
    /// <param name="who">The process that it went wrong in, where there are several, and a colon.</param>
    public static int Report(Exception exception, TextWriter error, string who = "")
    {
        Exception e = exception;
        while (e is TargetInvocationException or TypeInitializationException or AggregateException { InnerExceptions.Count: 1 } && e.InnerException is { } inner)
        {
            e = inner;
        }

        if (e is OperationCanceledException)
        {
            error.WriteLine("Interrupted.");
            return ExitCode.Interrupted;
        }

        foreach (string detail in (e as DataException)?.Details ?? [])
        {
            error.WriteLine(OneLine(detail));
        }

        bool trace = Environment.GetEnvironmentVariable("ADDERNET_TRACE") is { Length: > 0 } and not "0";
        error.WriteLine(Sentence(e) is { } sentence
            ? $"Error: {who}{sentence}"
            : $"Error: {who}unexpected {e.GetType().Name}: {OneLine(e.Message)}{(trace ? "" : " (Set ADDERNET_TRACE=1 to see where.)")}");
        if (trace)
        {
            error.WriteLine(exception);
        }

        return e is CliException { ExitCode: var code } ? code : ExitCode.Failure;
    }

    /// <summary>What to say of an exception that is the user's to solve; null for one that is ours.</summary>
    private static string? Sentence(Exception e) => e switch
    {
        CliException or DataException or TrainingException or CheckpointException or OtherRunException or InferenceException or GraphException or DistributedException or DllNotFoundException => WithHint(e),
        UnauthorizedAccessException => $"{OneLine(e.Message)} Choose a place where you may read and write.",
        IOException => OneLine(e.Message),
        OutOfMemoryException => "there is not enough memory; use a smaller --batch-size or a smaller model.",
        // libtorch's own messages go on with a C++ stack trace.
        ExternalException when e.Message.Contains("alloc", StringComparison.OrdinalIgnoreCase) =>
            "there is not enough memory; use a smaller --batch-size or a smaller model.",
        _ => null,
    };

    private static string WithHint(Exception e)
    {
        string problem = OneLine(e.Message);
        return Hints.For(e) is { Length: > 0 } hint ? $"{problem.TrimEnd('.')}{hint}." : problem;
    }

    private static string OneLine(string message) =>
        message.Split('\n', 2)[0].Trim();
}
