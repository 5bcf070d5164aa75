using System.Globalization;

namespace AdderNet.Distributed;

/// <summary>What a launcher of MPI programs told this process by its environment.</summary>
/// <param name="Rank">This process's number.</param>
/// <param name="Size">How many processes there are; null where only MPI knows it.</param>
/// <param name="Launcher">What messages call the launcher.</param>
/// <param name="PrefersOpenMpi">Whether its processes are Open MPI's rather than MPICH's, as far as can be told.</param>
internal sealed record Launch(int Rank, int? Size, string Launcher, bool PrefersOpenMpi)
{
    /// <summary>Variables of Open MPI's launcher, of MPICH's and Intel MPI's, and of those that speak PMIx, Slurm's for one.</summary>
    private static readonly (string Rank, string Size, string Launcher, bool OpenMpi)[] Variables =
    [
        ("OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE", "Open MPI's mpirun", true),
        ("PMI_RANK", "PMI_SIZE", "an mpirun of MPICH's kind", false),
        ("PMIX_RANK", "SLURM_STEP_NUM_TASKS", "a launcher that speaks PMIx", true),
    ];

    /// <summary>What the environment says; null for a process on its own, for which no MPI is needed.</summary>
    public static Launch? Of(Func<string, string?> environment)
    {
        foreach ((string rank, string size, string launcher, bool openMpi) in Variables)
        {
            if (Number(environment(rank)) is { } number)
            {
                int? all = Number(environment(size));
                return all == 1 ? null : new Launch(number, all, launcher, openMpi);
            }
        }

        return null;
    }

    private static int? Number(string? text) => int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out int value) ? value : null;
}
