using System.Globalization;

namespace AdderNet.Distributed;

/// <summary>What a launcher of MPI programs told this process by its environment.</summary>
/// <param name="Rank">This process's number.</param>
/// <param name="Size">How many processes there are; null where only MPI knows it.</param>
/// <param name="LocalRank">This process's number among those of its machine; null where the launcher does not say it.</param>
/// <param name="Launcher">What messages call the launcher.</param>
/// <param name="IsOfMpi">Whether it is certainly meant for MPI: Slurm starts processes of any kind.</param>
/// <param name="PrefersOpenMpi">Whether its processes are Open MPI's rather than MPICH's, as far as can be told.</param>
internal sealed record Launch(int Rank, int? Size, int? LocalRank, string Launcher, bool IsOfMpi, bool PrefersOpenMpi)
{
    private const string SlurmSize = "SLURM_STEP_NUM_TASKS", SlurmLocalRank = "SLURM_LOCALID";

    /// <summary>
    /// Variables of Open MPI's launcher, of those that speak PMI (MPICH's, Intel MPI's, Slurm's with --mpi=pmi2), of those that speak PMIx
    /// (Slurm's with --mpi=pmix), and of Slurm's where it was not told of MPI. A launcher within a job of Slurm's comes before it.
    /// </summary>
    private static readonly (string Rank, string Size, string[] LocalRanks, string Launcher, bool IsOfMpi, bool OpenMpi)[] Variables =
    [
        ("OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE", ["OMPI_COMM_WORLD_LOCAL_RANK"], "Open MPI's mpirun", true, true),
        ("PMI_RANK", "PMI_SIZE", ["MPI_LOCALRANKID", SlurmLocalRank], "a launcher that speaks PMI", true, false),
        ("PMIX_RANK", SlurmSize, [SlurmLocalRank], "a launcher that speaks PMIx", true, true),
        ("SLURM_PROCID", SlurmSize, [SlurmLocalRank], "srun", false, true),
    ];

    /// <summary>Whether no other process of this machine comes before this one, as far as the launcher says.</summary>
    public bool IsFirstOfMachine => LocalRank is null or 0;

    /// <summary>What the environment says; null for a process on its own, for which no MPI is needed.</summary>
    public static Launch? Of(Func<string, string?> environment)
    {
        foreach ((string rank, string size, string[] localRanks, string launcher, bool isOfMpi, bool openMpi) in Variables)
        {
            int? all = Number(environment(size));
            // The script of a job of Slurm's has a number, too, but is no part of a step.
            if (Number(environment(rank)) is { } number && (isOfMpi || all is not null))
            {
                return all == 1 ? null : new Launch(
                    number, all, localRanks.Select(name => Number(environment(name))).FirstOrDefault(n => n is not null), launcher, isOfMpi, openMpi);
            }
        }

        return null;
    }

    private static int? Number(string? text) => int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out int value) ? value : null;
}
