using AdderNet.Distributed;
using AdderNet.Training;

namespace AdderNet.Cli;

/// <summary>
/// This process as one of those that a launcher of MPI programs started, or as the only one. The first shows how things go as ever, the others
/// write a log each in the run's folder; of what goes wrong one tells.
/// </summary>
internal sealed class Member : IDisposable
{
    private readonly Host process;
    private readonly ProcessLog? log;

    private Member(Host process, Communicator ranks)
    {
        (this.process, Ranks) = (process, ranks);
        log = ranks.Rank == 0 ? null : new ProcessLog();
        // Open MPI gives its processes a terminal even where its own output goes into a file.
        Host = log is not null ? new Host(log, log, null) : ranks.Size > 1 ? process with { Live = null } : process;
    }

    /// <summary>All of them.</summary>
    public Communicator Ranks { get; }

    /// <summary>Where this one reads and writes.</summary>
    public Host Host { get; }

    /// <summary>Joins the others, does something and leaves them.</summary>
    public static int Run(Host host, Func<Member, int> work)
    {
        Communicator ranks;
        try
        {
            ranks = Communicator.Start();
        }
        catch (DistributedException e)
        {
            // It is the same for all of a machine, and the first of them says it.
            return Communicator.IsFirstOfMachine
                ? Failure.Report(e, host.Error, $"rank {Communicator.LaunchedRank} on {Environment.MachineName}: ")
                : ExitCode.Failure;
        }

        using Member member = new(host, ranks);
        try
        {
            return work(member);
        }
        catch (Exception e) when (ranks.Size > 1)
        {
            return member.Fail(e);
        }
    }

    /// <summary>The log goes into the folder of a run.</summary>
    public void LogIn(RunFolder folder)
    {
        if (log is not null)
        {
            log.Open(Path.Combine(folder.Path, $"rank-{Ranks.Rank}.log"));
            log.WriteLine(FormattableString.Invariant(
                $"{DateTime.UtcNow:u} rank {Ranks.Rank} of {Ranks.Size} on {Environment.MachineName}, process {Environment.ProcessId}, {folder.Options.Threads} thread(s), {Ranks.Version}"));
        }
    }

    public void Dispose()
    {
        log?.Dispose();
        Ranks.Dispose();
    }

    private int Fail(Exception e)
    {
        if (e is PeerException)
        {
            log?.WriteLine(e.Message);
            return ExitCode.Failure;
        }

        string who = Ranks.Failure?.Count == Ranks.Size ? "" : $"rank {Ranks.Rank} of {Ranks.Size} on {Environment.MachineName}: ";
        int code = Failure.Report(e, process.Error, who);
        if (Ranks.Failure is null)
        {
            // The others wait for this one somewhere, and don't know.
            process.Error.Flush();
            log?.Dispose();
            Ranks.Abort(code);
        }

        return code;
    }
}
