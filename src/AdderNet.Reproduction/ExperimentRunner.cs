using System.Runtime.InteropServices;
using AdderNet.Data;
using AdderNet.Training;

namespace AdderNet.Reproduction;

/// <summary>Makes the runs of an experiment that aren't there yet, and its report after each of them.</summary>
/// <param name="display">Where progress is shown.</param>
/// <param name="experiment">The experiment.</param>
/// <param name="options">How it is to be made.</param>
/// <param name="command">What the user types to make it, for the report.</param>
internal sealed class ExperimentRunner(IExperimentDisplay display, Experiment experiment, ReproduceOptions options, string command)
{
    private readonly RunStore store = new(options.Out);
    private readonly TimeEstimate estimate = new(options.Threads);
    private readonly ExperimentData data = new(display, options.DataDir);
    private CancellationToken cancel;

    /// <summary>Makes the experiment as far as it isn't there yet.</summary>
    /// <param name="cancellation">Stops it after the batch in flight; the report is written all the same.</param>
    /// <returns>Whether it is complete.</returns>
    public bool Run(CancellationToken cancellation)
    {
        cancel = cancellation;
        IReadOnlyList<PlannedRun> plan = experiment.Plan(options);
        List<RunFinding> runs = [.. plan.Select(Find)];
        PlannedRun[] open = [.. runs.Where(r => !r.Complete).Select(r => r.Plan)];

        // Without data nothing is begun.
        foreach (string name in open.Select(r => r.Recipe.Dataset).Distinct())
        {
            (int train, int test) = data.Count(name, cancel);
            estimate.Count(name, train, test);
        }

        display.WriteLine(experiment.Title);
        display.WriteLine(experiment.Place);
        try
        {
            Announce(runs, open);
            for (int i = 0; i < runs.Count; i++)
            {
                if (!runs[i].Complete)
                {
                    runs[i] = Train(runs, i);
                    if (!runs[i].Complete)
                    {
                        break;
                    }

                    if (runs.Any(r => !r.Complete))
                    {
                        display.WriteLine($"Report so far: {WriteReport(runs)}");
                    }
                }
            }
        }
        finally
        {
            // What is there is shown, whatever ended the work.
            if (runs.Any(r => r.History.Count > 0) || (plan.Count == 0 && !cancel.IsCancellationRequested))
            {
                display.WriteLine();
                display.WriteLine($"Report: {WriteReport(runs)}");
            }
        }

        return runs.All(r => r.Complete) && !cancel.IsCancellationRequested;
    }

    private RunFinding Find(PlannedRun run)
    {
        if (store.CopyFromSibling(run, options.DataDir, options.Threads) is { } sibling)
        {
            display.WriteLine($"{run.Name} is copied from {sibling}, which has trained the same recipe with as many threads.");
        }

        RunFinding found = store.Find(run);
        if (found.History.Count > 0)
        {
            estimate.Observe(run, found.History[^1]);
        }

        return found;
    }

    private void Announce(List<RunFinding> runs, PlannedRun[] open)
    {
        if (open.Length == 0)
        {
            display.WriteLine(runs.Count switch { 0 => "Nothing has to be trained.", 1 => "The run is complete.", var n => $"All {n} runs are complete." });
            return;
        }

        display.WriteLine($"Saving in {options.Out}");
        display.Measure(estimate, open, cancel);
        TimeSpan left = Duration.Sum(runs, r => estimate.Left(r.Plan, r.History.Count));
        int complete = runs.Count - open.Length;
        display.WriteLine(
            $"{runs.Count} run{(runs.Count == 1 ? "" : "s")}{(complete > 0 ? $", {complete} complete" : "")}; "
            + $"what is left takes about {Duration.Words(left)} on this machine. Ctrl-C stops; the same command goes on.");
        foreach (string line in experiment.Preface?.Invoke(estimate, open) ?? [])
        {
            display.WriteLine(line);
        }
    }

    private RunFinding Train(List<RunFinding> runs, int index)
    {
        RunFinding run = runs[index];
        Recipe recipe = run.Plan.Recipe;
        RunOptions settings = new() { DataDir = options.DataDir, Threads = options.Threads };
        using RunFolder folder = RunFolder.HoldsRun(run.Folder) ? RunFolder.Open(run.Folder, settings) : RunFolder.Create(run.Folder, recipe, settings);
        using Trainer trainer = data.Trainer(folder, run.Plan, cancel);
        display.WriteLine();
        display.WriteLine(
            $"Run {index + 1} of {runs.Count}: {run.Plan.Label} ({run.Plan.Name}), {recipe.Epochs} epoch{(recipe.Epochs == 1 ? "" : "s")} of batches of {recipe.BatchSize}");
        foreach (string notice in trainer.Notices)
        {
            display.WriteLine($"Note: {notice}");
        }

        display.WriteLine();
        TrainingResult result = display.Train(trainer, folder.History, recipe.Epochs, Whole, cancel);
        return run with { History = result.History };

        (double Fraction, string Text) Whole(TrainingProgress p)
        {
            if (p.Completed is { } epoch)
            {
                estimate.Observe(run.Plan, epoch);
            }

            TimeSpan total = Duration.Sum(runs, r => estimate.Left(r.Plan, 0)), left = Duration.Sum(runs.Where(r => r != run && !r.Complete), r => estimate.Left(r.Plan, r.History.Count))
                + (p.TimeLeft ?? estimate.Left(run.Plan, p.Epoch - 1));
            return (Math.Clamp(1 - left / total, 0, 1), $"run {index + 1} of {runs.Count}, {Duration.Clock(left)} left for all");
        }
    }

    private string WriteReport(List<RunFinding> runs)
    {
        Report report = new(experiment.Title, experiment.Place);
        // After Ctrl-C there is still this to do; another Ctrl-C ends the process.
        CancellationToken token = cancel.IsCancellationRequested ? CancellationToken.None : cancel;
        experiment.Write(new Findings(options, runs, data, token), report);
        if (runs.Count > 0)
        {
            RunTable.Write(runs, report);
        }

        report.Footer(Facts(runs));
        return report.Save(options.Out);
    }

    private IEnumerable<(string Name, string Value)> Facts(List<RunFinding> runs)
    {
        yield return ("command", command);
        if (runs.Count > 0)
        {
            yield return ("epochs", $"{options.Epochs}");
            yield return ("seeds", string.Join(", ", runs.Select(r => r.Plan.Recipe.Seed).Distinct()));
            yield return ("data", string.Join(", ", runs.Select(r => Datasets.Find(r.Plan.Recipe.Dataset).Title).Distinct())
                + (options.DataDir is { } folder ? $" in {folder}" : ""));
            yield return ("training time", Duration.Words(Duration.Sum(runs, r => r.Time)));
        }

        yield return ("machine", $"{Environment.ProcessorCount} processors ({RuntimeInformation.ProcessArchitecture}), {options.Threads} threads, {RuntimeInformation.OSDescription}");
        yield return ("software", $"{RuntimeInformation.FrameworkDescription}, libtorch {TorchSharp.torch.__version__}");
    }
}
