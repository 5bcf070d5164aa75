using System.Runtime.InteropServices;
using System.Text;

namespace AdderNet.Distributed;

/// <summary>How many ranks failed when all of them parted, and which was the first.</summary>
/// <param name="Rank">The first rank that failed; it tells of it.</param>
/// <param name="Count">How many did.</param>
public sealed record RankFailure(int Rank, int Count);

/// <summary>
/// The processes that compute together, MPI's ranks. Each of them calls the same methods in the same order; a process on its own has a
/// communicator of one rank, whose methods do nothing, and no MPI is loaded for it.
/// </summary>
/// <example><code>
/// // mpirun -n 4 dotnet program.dll
/// using Communicator ranks = Communicator.Start();
/// float[] numbers = [ranks.Rank];
/// ranks.Sum(numbers); // 6 in each of four processes
/// </code></example>
public sealed unsafe class Communicator : IDisposable
{
    // A call's count is a C int.
    private const int LargestMessage = 1 << 30, LargestSum = 1 << 28;

    private readonly MpiLibrary? library;
    private readonly Courier? courier;
    private bool disposed;

    private Communicator()
    {
    }

    private Communicator(MpiLibrary library, Launch launch)
    {
        this.library = library;
        courier = new Courier(library);
        (Rank, Size, Version) = (courier.Rank, courier.Size, courier.Version);
        if (Rank != launch.Rank || Size != (launch.Size ?? Size))
        {
            courier.Dispose();
            string started = launch.Size is { } size ? $"started {size} processes" : $"made this process number {launch.Rank} (from 0)";
            throw new DistributedException(
                $"{launch.Launcher} {started}, but the MPI library found ({Version}) sees {Size}: they don't know each other; start with the "
                + $"library's own mpirun, or with srun --mpi=pmix or --mpi=pmi2, or name the launcher's library in {MpiLibrary.PathVariable}.");
        }

        Sharing = CountSharing();
    }

    /// <summary>A process on its own.</summary>
    public static Communicator Alone { get; } = new();

    /// <summary>Number of this process, from 0.</summary>
    public int Rank { get; }

    /// <summary>How many there are.</summary>
    public int Size { get; } = 1;

    /// <summary>Name and version of the MPI library; empty for a process on its own.</summary>
    public string Version { get; } = "";

    /// <summary>Ranks, this one included, that have the same processors: what one of them should take is its share.</summary>
    public int Sharing { get; } = 1;

    /// <summary>What ended the work of all ranks, who all know of it; null while nothing has.</summary>
    public RankFailure? Failure { get; private set; }

    /// <summary>Joins the other ranks where a launcher such as mpirun started this process as one of several.</summary>
    /// <returns>The ranks; <see cref="Alone"/> for a process on its own.</returns>
    /// <exception cref="DistributedException">There is no usable MPI library.</exception>
    public static Communicator Start()
    {
        if (Launch.Of(Environment.GetEnvironmentVariable) is not { } launch)
        {
            return Alone;
        }

        MpiLibrary.RefuseWindows();
        using SignalHandlers kept = new();
        return new Communicator(MpiLibrary.Load(launch, Environment.GetEnvironmentVariable(MpiLibrary.PathVariable)), launch);
    }

    /// <summary>
    /// The launcher of MPI programs that started this process as one of several, in words; null where none did. Like the others of its kind
    /// it is known even where MPI can't be used.
    /// </summary>
    public static string? Launcher => Launch.Of(Environment.GetEnvironmentVariable) is { IsOfMpi: true } launch ? launch.Launcher : null;

    /// <summary>The rank that a launcher gave this process; 0 for a process on its own.</summary>
    public static int LaunchedRank => Launch.Of(Environment.GetEnvironmentVariable)?.Rank ?? 0;

    /// <summary>Whether this process tells of what is the same for all on its machine.</summary>
    public static bool IsFirstOfMachine => Launch.Of(Environment.GetEnvironmentVariable)?.IsFirstOfMachine ?? true;

    /// <summary>Puts the sum over all ranks in the place of each number, in the same bits in every rank.</summary>
    public void Sum(Span<float> numbers)
    {
        fixed (float* start = numbers)
        {
            BeginSum(start, numbers.Length).Wait();
        }
    }

    /// <summary>Puts the sum over all ranks in the place of each number, in the same bits in every rank.</summary>
    public void Sum(Span<double> numbers)
    {
        fixed (double* start = numbers)
        {
            for (int done = 0; courier is not null && done < numbers.Length; done += LargestSum)
            {
                nint part = (nint)(start + done);
                int count = Math.Min(LargestSum, numbers.Length - done);
                courier.Give(() => library!.BeginSum((void*)part, count, isDouble: true)).Wait();
            }
        }
    }

    /// <summary>Begins to put the sum over all ranks in the place of each number; this thread can compute meanwhile.</summary>
    /// <param name="numbers">The numbers, in memory that does not move.</param>
    /// <param name="count">How many, at most 2^28.</param>
    public Transfer BeginSum(float* numbers, int count)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(count, LargestSum);
        nint start = (nint)numbers;
        return courier is null ? Transfer.Complete : courier.Give(() => library!.BeginSum((void*)start, count, isDouble: false));
    }

    /// <summary>Sends bytes from rank 0 to all.</summary>
    /// <param name="message">What rank 0 sends; ignored in others.</param>
    /// <returns>What it sent.</returns>
    public byte[] Broadcast(byte[]? message)
    {
        if (courier is null)
        {
            return message ?? [];
        }

        long length = message?.Length ?? 0;
        Send((byte*)&length, sizeof(long));
        byte[] bytes = Rank == 0 ? message ?? [] : GC.AllocateUninitializedArray<byte>(checked((int)length));
        fixed (byte* start = bytes)
        {
            Send(start, bytes.Length);
        }

        return bytes;
    }

    /// <summary>Sends bytes of each rank to all.</summary>
    /// <returns>What each sent, by rank.</returns>
    public byte[][] Gather(byte[] message)
    {
        ArgumentNullException.ThrowIfNull(message);
        if (courier is null)
        {
            return [message];
        }

        double[] lengths = new double[Size];
        lengths[Rank] = message.Length;
        Sum(lengths);
        // All send as many bytes as the one who has most to say.
        int longest = checked((int)lengths.Max());
        byte[] padded = new byte[longest], all = GC.AllocateUninitializedArray<byte>(checked(longest * Size));
        message.CopyTo(padded, 0);
        fixed (byte* own = padded, start = all)
        {
            nint from = (nint)own, to = (nint)start;
            courier.Give(() => library!.BeginGather((void*)from, longest, (void*)to)).Wait();
        }

        return [.. lengths.Select((length, rank) => all[(rank * longest)..(rank * longest + (int)length)])];
    }

    /// <summary>
    /// Does something that may fail in one rank and not in others, and afterwards all go on or none: where any failed, the first of them
    /// rethrows what it failed with, and the others throw a <see cref="PeerException"/>.
    /// </summary>
    /// <typeparam name="T">What it gives.</typeparam>
    /// <param name="action">What to do.</param>
    /// <param name="isJoint">Whether the ranks wait for each other within it. Where one fails there the others can't be told, and
    /// <see cref="Failure"/> stays null: only <see cref="Abort"/> ends them.</param>
    /// <exception cref="PeerException">Another rank failed.</exception>
    public T Agree<T>(Func<T> action, bool isJoint = false)
    {
        ArgumentNullException.ThrowIfNull(action);
        if (courier is null)
        {
            return action();
        }

        T result = default!;
        Exception? failure = null;
        try
        {
            result = action();
        }
        catch (Exception e) when (!isJoint && Failure is null)
        {
            failure = e;
        }

        double[] flags = Flags(failure);
        Sum(flags);
        Conclude(flags, failure);
        return result;
    }

    /// <summary>The same for something that gives nothing.</summary>
    /// <param name="action">What to do.</param>
    /// <param name="isJoint">Whether the ranks wait for each other within it.</param>
    /// <exception cref="PeerException">Another rank failed.</exception>
    public void Agree(Action action, bool isJoint = false)
    {
        ArgumentNullException.ThrowIfNull(action);
        Agree(
            () =>
            {
                action();
                return 0;
            },
            isJoint);
    }

    /// <summary>A text of rank 0 in all ranks.</summary>
    /// <param name="text">Makes it; only rank 0 is asked.</param>
    /// <exception cref="PeerException">Rank 0 failed to.</exception>
    public string FromFirst(Func<string> text)
    {
        ArgumentNullException.ThrowIfNull(text);
        string? own = Agree(() => Rank == 0 ? text() : null);
        return Encoding.UTF8.GetString(Broadcast(own is null ? null : Encoding.UTF8.GetBytes(own)));
    }

    /// <summary>Numbers to sum up, by which all ranks learn who failed: one a rank.</summary>
    internal double[] Flags(Exception? failure)
    {
        double[] flags = new double[Size];
        flags[Rank] = failure is null ? 0 : 1;
        return flags;
    }

    /// <summary>Throws where any rank failed, by the sum of all ranks' <see cref="Flags"/>.</summary>
    internal void Conclude(ReadOnlySpan<double> flags, Exception? own)
    {
        int first = flags.IndexOfAnyExcept(0);
        if (first < 0)
        {
            return;
        }

        Failure = new RankFailure(first, flags.Length - flags.Count(0.0));
        if (first == Rank)
        {
            System.Runtime.ExceptionServices.ExceptionDispatchInfo.Throw(own!);
        }

        throw new PeerException($"Rank {first} failed, and all ranks end.");
    }

    /// <summary>Ends all ranks at once, wherever they are; for failures that the others don't know of. It does not return.</summary>
    /// <param name="exitCode">The exit code.</param>
    public void Abort(int exitCode)
    {
        courier?.Abort(exitCode);
        Environment.Exit(exitCode);
    }

    /// <summary>Leaves the other ranks, when they do so, too.</summary>
    public void Dispose()
    {
        if (courier is not null && !disposed)
        {
            disposed = true;
            courier.Dispose();
        }
    }

    private void Send(byte* bytes, long count)
    {
        for (long done = 0; done < count; done += LargestMessage)
        {
            nint part = (nint)(bytes + done);
            int length = (int)Math.Min(LargestMessage, count - done);
            courier!.Give(() => library!.BeginBroadcast((void*)part, length)).Wait();
        }
    }

    /// <summary>Ranks of the same machine that may run on the same processors: by default a launcher may bind each to its own.</summary>
    private int CountSharing()
    {
        const string key = "Cpus_allowed_list:";
        string allowed = File.Exists("/proc/self/status")
            ? File.ReadLines("/proc/self/status").FirstOrDefault(line => line.StartsWith(key, StringComparison.Ordinal)) ?? ""
            : "";
        // 48 bits of it, which a double holds.
        byte[] hash = System.Security.Cryptography.SHA256.HashData(Encoding.UTF8.GetBytes($"{Environment.MachineName} {allowed}"));
        double[] places = new double[Size];
        places[Rank] = MemoryMarshal.Read<long>(hash) & 0xFFFF_FFFF_FFFF;
        Sum(places);
        return places.Count(place => place == places[Rank]);
    }
}
