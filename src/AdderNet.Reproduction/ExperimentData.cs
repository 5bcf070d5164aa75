using AdderNet.Data;
using AdderNet.Data.Detection;
using AdderNet.Training;

namespace AdderNet.Reproduction;

/// <summary>The data sets of an experiment, each opened once.</summary>
/// <param name="display">Where it is shown that something is downloaded.</param>
/// <param name="dataDir">Where the data lies; null for the default place.</param>
internal sealed class ExperimentData(IExperimentDisplay display, string? dataDir)
{
    private readonly Dictionary<(string Name, bool Train), Dataset> images = [];
    private readonly Dictionary<string, DetectionSplits> scenes = [];

    /// <summary>The training or the test images of a data set of images with a class each.</summary>
    public Dataset Images(string name, bool train, CancellationToken cancel)
    {
        if (!images.TryGetValue((name, train), out Dataset? opened))
        {
            images.Add((name, train), opened = display.OpenData(name, train, dataDir, cancel));
        }

        return opened;
    }

    /// <summary>All images of a data set with boxes.</summary>
    public DetectionSplits Scenes(string name, CancellationToken cancel)
    {
        if (!scenes.TryGetValue(name, out DetectionSplits? opened))
        {
            scenes.Add(name, opened = display.OpenScenes(name, dataDir, cancel));
        }

        return opened;
    }

    /// <summary>How many images a training has to learn from, and to measure with after each epoch.</summary>
    public (int Train, int Test) Count(string name, CancellationToken cancel) => Datasets.Find(name).HasBoxes
        ? (Scenes(name, cancel).Train.Count, Scenes(name, cancel).Measured.Count)
        : (Images(name, train: true, cancel).Count, Images(name, train: false, cancel).Count);

    /// <summary>What trains a run.</summary>
    public Trainer Trainer(RunFolder folder, PlannedRun run, CancellationToken cancel)
    {
        string name = run.Recipe.Dataset;
        if (Datasets.Find(name).HasBoxes)
        {
            return new Trainer(folder, Scenes(name, cancel));
        }

        Dataset train = Images(name, train: true, cancel);
        return new Trainer(folder, train, Images(name, train: false, cancel), run.ModuleFor(train.ClassNames.Count, train.Info.Channels));
    }
}
