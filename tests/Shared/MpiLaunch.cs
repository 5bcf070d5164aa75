using System.Diagnostics;

namespace AdderNet.Testing;

/// <summary>The launchers of MPI programs that this machine has, and how to start one.</summary>
internal static class MpiLaunch
{
    public const string Missing = "there is no mpirun of Open MPI (Debian's openmpi-bin)";

    /// <summary>Open MPI's mpirun; null where there is none.</summary>
    public static string? OpenMpi { get; } = Find("mpirun.openmpi") ?? Find("mpirun");

    /// <summary>MPICH's; null where there is none.</summary>
    public static string? Mpich { get; } = Find("mpirun.mpich") ?? Find("mpiexec.hydra");

    /// <summary>How to start a program in some processes, with more of them than processors and as whoever runs the tests.</summary>
    public static ProcessStartInfo Start(string launcher, int ranks, string program, params IEnumerable<string> arguments) =>
        Start(launcher, ranks, program, arguments, []);

    /// <summary>The same with options of the launcher's.</summary>
    public static ProcessStartInfo Start(string launcher, int ranks, string program, IEnumerable<string> arguments, IEnumerable<string> options)
    {
        ProcessStartInfo start = new(launcher, [.. options, "-n", $"{ranks}", program, .. arguments])
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        start.Environment["OMPI_ALLOW_RUN_AS_ROOT"] = "1";
        start.Environment["OMPI_ALLOW_RUN_AS_ROOT_CONFIRM"] = "1";
        start.Environment["OMPI_MCA_rmaps_base_oversubscribe"] = "1";
        start.Environment["PRTE_MCA_rmaps_default_mapping_policy"] = ":oversubscribe";
        // Two processes that are bound to the same core would wait for each other.
        start.Environment["OMPI_MCA_hwloc_base_binding_policy"] = "none";
        return start;
    }

    /// <summary>Runs it to its end: exit code, standard output and standard error.</summary>
    public static (int ExitCode, string Out, string Error) Run(ProcessStartInfo start)
    {
        using Process process = Process.Start(start)!;
        process.StandardInput.Close();
        Task<string> error = process.StandardError.ReadToEndAsync();
        string output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        return (process.ExitCode, output, error.Result);
    }

    private static string? Find(string name) =>
        (Environment.GetEnvironmentVariable("PATH") ?? "").Split(Path.PathSeparator).Select(folder => Path.Combine(folder, name)).FirstOrDefault(File.Exists);
}
