using System.Runtime.InteropServices;

namespace AdderNet.Distributed;

/// <summary>
/// The few functions of MPI's C interface that training needs, out of whatever library the system has.
/// </summary>
/// <remarks>
/// What C programs get from a header differs between the two families of libraries: Open MPI's handles are addresses of the library's own
/// variables, those of MPICH and its relatives (Intel MPI, MVAPICH) are numbers. They are told apart by what the library exports, so one
/// program serves both. Every call belongs on one thread.
/// </remarks>
internal sealed unsafe partial class MpiLibrary
{
    /// <summary>A path that is taken in the place of all names.</summary>
    internal const string PathVariable = "ADDERNET_MPI";

    private const int ThreadSerialized = 2, LongestVersion = 8192;

    private readonly delegate* unmanaged<nint, nint, int, int*, int> initThread;
    private readonly delegate* unmanaged<nint, int*, int> commRank, commSize;
    private readonly delegate* unmanaged<nint, nint*, int> commDup, ibarrier;
    private readonly delegate* unmanaged<nint, void*, int, nint, nint, nint, nint*, int> iallreduce;
    private readonly delegate* unmanaged<void*, int, nint, int, nint, nint*, int> ibcast;
    private readonly delegate* unmanaged<void*, int, nint, void*, int, nint, nint, nint*, int> iallgather;
    private readonly delegate* unmanaged<nint*, int*, nint, int> test;
    private readonly delegate* unmanaged<nint, int, int> abort;
    private readonly delegate* unmanaged<int> finalize;
    private readonly delegate* unmanaged<byte*, int*, int> getLibraryVersion;
    private readonly nint world, @byte, @float, @double, sum, ignored, inPlace;
    private nint partings;

    private MpiLibrary(nint library)
    {
        initThread = (delegate* unmanaged<nint, nint, int, int*, int>)Function("MPI_Init_thread");
        commRank = (delegate* unmanaged<nint, int*, int>)Function("MPI_Comm_rank");
        commSize = (delegate* unmanaged<nint, int*, int>)Function("MPI_Comm_size");
        commDup = (delegate* unmanaged<nint, nint*, int>)Function("MPI_Comm_dup");
        ibarrier = (delegate* unmanaged<nint, nint*, int>)Function("MPI_Ibarrier");
        iallreduce = (delegate* unmanaged<nint, void*, int, nint, nint, nint, nint*, int>)Function("MPI_Iallreduce");
        ibcast = (delegate* unmanaged<void*, int, nint, int, nint, nint*, int>)Function("MPI_Ibcast");
        iallgather = (delegate* unmanaged<void*, int, nint, void*, int, nint, nint, nint*, int>)Function("MPI_Iallgather");
        test = (delegate* unmanaged<nint*, int*, nint, int>)Function("MPI_Test");
        abort = (delegate* unmanaged<nint, int, int>)Function("MPI_Abort");
        finalize = (delegate* unmanaged<int>)Function("MPI_Finalize");
        getLibraryVersion = (delegate* unmanaged<byte*, int*, int>)Function("MPI_Get_library_version");
        IsOpenMpi = NativeLibrary.TryGetExport(library, "ompi_mpi_comm_world", out world);
        if (IsOpenMpi)
        {
            (@byte, @float, @double) = (Function("ompi_mpi_byte"), Function("ompi_mpi_float"), Function("ompi_mpi_double"));
            (sum, ignored, inPlace) = (Function("ompi_mpi_op_sum"), 0, 1);
        }
        else
        {
            (world, @byte, @float, @double) = (0x44000000, 0x4c00010d, 0x4c00040a, 0x4c00080b);
            (sum, ignored, inPlace) = (0x58000003, 1, -1);
        }

        nint Function(string name) => NativeLibrary.GetExport(library, name);
    }

    /// <summary>Whether the library is Open MPI; else it is MPICH or a relative.</summary>
    public bool IsOpenMpi { get; }

    /// <exception cref="DistributedException">This is Windows.</exception>
    public static void RefuseWindows()
    {
        if (OperatingSystem.IsWindows())
        {
            throw new DistributedException("Several processes can train together on Linux and macOS, not on Windows.");
        }
    }

    /// <summary>Finds a library and loads it.</summary>
    /// <param name="launch">Whose processes this is one of: its own family is tried first.</param>
    /// <param name="path">The library, where the user names it.</param>
    /// <exception cref="DistributedException">There is none, or it can't be used.</exception>
    public static MpiLibrary Load(Launch launch, string? path)
    {
        string[] names = path is { Length: > 0 } ? [path] : Names(openMpiFirst: launch.PrefersOpenMpi);
        List<(string Name, string Text)> reasons = [];
        nint library = names.Select(name => Open(name, reasons)).FirstOrDefault(handle => handle != 0);
        if (library == 0)
        {
            // That a library lacks another one says more than that it is not there itself.
            string reason = reasons.Find(r => !r.Text.StartsWith($"{r.Name}: cannot open", StringComparison.Ordinal)).Text ?? reasons[0].Text;
            throw new DistributedException(
                $"This is one of several processes of {launch.Launcher}, but the MPI library ({string.Join(", ", names)}) can't be loaded ({reason}); "
                + $"install the launcher's own, or give its path in {PathVariable}.");
        }

        try
        {
            return new MpiLibrary(library);
        }
        catch (EntryPointNotFoundException e)
        {
            throw new DistributedException($"The MPI library that was found is none, or is from before MPI 3: {e.Message.TrimEnd('.')}.", e);
        }
    }

    /// <summary>Joins the other processes.</summary>
    /// <exception cref="DistributedException">The library refuses.</exception>
    public void Initialize()
    {
        int provided;
        Check(initThread(0, 0, ThreadSerialized, &provided), "MPI_Init_thread");
        nint copy = 0;
        Check(commDup(world, &copy), "MPI_Comm_dup");
        partings = copy;
    }

    public int Rank()
    {
        int rank;
        Check(commRank(world, &rank), "MPI_Comm_rank");
        return rank;
    }

    public int Size()
    {
        int size;
        Check(commSize(world, &size), "MPI_Comm_size");
        return size;
    }

    /// <summary>The library's name and version, in one line.</summary>
    public string Version()
    {
        byte* text = stackalloc byte[LongestVersion];
        int length;
        Check(getLibraryVersion(text, &length), "MPI_Get_library_version");
        string whole = Marshal.PtrToStringUTF8((nint)text) ?? "";
        string[] words = whole.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries);
        return string.Join(' ', words.Take(3)).TrimEnd(',');
    }

    /// <summary>Begins to put, in every process, the sum over all processes in the place of each number.</summary>
    public nint BeginSum(void* numbers, int count, bool isDouble)
    {
        nint request = 0;
        Check(iallreduce(inPlace, numbers, count, isDouble ? @double : @float, sum, world, &request), "MPI_Iallreduce");
        return request;
    }

    /// <summary>Begins to send bytes from rank 0 to all.</summary>
    public nint BeginBroadcast(void* bytes, int count)
    {
        nint request = 0;
        Check(ibcast(bytes, count, @byte, 0, world, &request), "MPI_Ibcast");
        return request;
    }

    /// <summary>Begins to send bytes of each rank to all, as many of each.</summary>
    public nint BeginGather(void* own, int count, void* all)
    {
        nint request = 0;
        Check(iallgather(own, count, @byte, all, count, @byte, world, &request), "MPI_Iallgather");
        return request;
    }

    /// <summary>
    /// Begins to wait until all processes have come here. It has nothing to do with sums and messages: a process that leaves for a reason of its
    /// own is not taken to answer what others wait for.
    /// </summary>
    public nint BeginParting()
    {
        nint request = 0;
        Check(ibarrier(partings, &request), "MPI_Ibarrier");
        return request;
    }

    /// <summary>Goes on with what was begun, and says whether it is complete.</summary>
    public bool Test(ref nint request)
    {
        int complete;
        fixed (nint* handle = &request)
        {
            Check(test(handle, &complete, ignored), "MPI_Test");
        }

        return complete != 0;
    }

    /// <summary>Ends all processes.</summary>
    public void Abort(int exitCode) => _ = abort(world, exitCode);

    /// <summary>Leaves the others, after the last message.</summary>
    public void Leave() => _ = finalize();

    private static string[] Names(bool openMpiFirst)
    {
        string[] openMpi = OperatingSystem.IsMacOS() ? ["libmpi.40.dylib"] : ["libmpi.so.40"];
        string[] mpich = OperatingSystem.IsMacOS() ? ["libmpi.12.dylib", "libmpich.dylib"] : ["libmpi.so.12", "libmpich.so.12"];
        string[] any = [OperatingSystem.IsMacOS() ? "libmpi.dylib" : "libmpi.so"];
        return openMpiFirst ? [.. openMpi, .. any] : [.. mpich, .. any, .. openMpi];
    }

    /// <summary>
    /// Open MPI loads parts of itself that look for the symbols of the library among those that all may see, which .NET's own loader keeps
    /// apart.
    /// </summary>
    private static nint Open(string name, List<(string Name, string Text)> reasons)
    {
        const int now = 2, global = 0x100, globalOnMacOS = 8;
        bool isMacOS = OperatingSystem.IsMacOS();
        // The first call finds the function, which would forget the reason.
        _ = Reason();
        nint library = isMacOS ? LoadOnMacOS(name, now | globalOnMacOS) : LoadOnLinux(name, now | global);
        if (library == 0)
        {
            reasons.Add((name, Reason()));
        }

        return library;

        string Reason() => Marshal.PtrToStringUTF8(isMacOS ? ErrorOnMacOS() : ErrorOnLinux())?.ReplaceLineEndings(" ") ?? "for no reason that the system tells";
    }

    [LibraryImport("libdl.so.2", EntryPoint = "dlopen", StringMarshalling = StringMarshalling.Utf8)]
    private static partial nint LoadOnLinux(string name, int flags);

    [LibraryImport("libSystem.dylib", EntryPoint = "dlopen", StringMarshalling = StringMarshalling.Utf8)]
    private static partial nint LoadOnMacOS(string name, int flags);

    [LibraryImport("libdl.so.2", EntryPoint = "dlerror")]
    private static partial nint ErrorOnLinux();

    [LibraryImport("libSystem.dylib", EntryPoint = "dlerror")]
    private static partial nint ErrorOnMacOS();

    private static void Check(int code, string function)
    {
        if (code != 0)
        {
            throw new DistributedException($"MPI's {function} failed with error {code}.");
        }
    }
}
