using AdderNet.Data;
using AdderNet.Reproduction;
using AdderNet.Training;

namespace AdderNet.Cli;

/// <summary>What to type about a problem that a library tells: libraries know no options.</summary>
internal static class Hints
{
    /// <summary>The end of the sentence that the exception's message begins; empty where there is nothing to add.</summary>
    public static string For(Exception exception) => exception switch
    {
        DataException { Problem: DataProblem.NoDownload } => "; give its path with --data-dir",
        DataException { Problem: DataProblem.DamagedImages } => ", or leave what can't be read out with --skip-damaged",
        DataException { Problem: DataProblem.NoSuchFolder } => "; give the folder that holds the data with --data-dir, or leave it out",
        DataException { Problem: DataProblem.FolderForName } => ": give its name with --data and the folder with --data-dir",
        DataException { Problem: DataProblem.WrongSystemFile } => ", or give other files with --data-dir",
        TrainingException { Problem: TrainingProblem.FolderHoldsRun, Folder: var run } => $"; continue it with --resume {run}, or choose another folder with --out",
        TrainingException { Problem: TrainingProblem.FolderIsFile } => "; choose another folder with --out",
        TrainingException { Problem: TrainingProblem.FolderNotEmpty } => "; choose a new folder with --out",
        TrainingException { Problem: TrainingProblem.UnknownModel } => "; say with --model and --data what it is, for example --model resnet20 --data cifar10",
        TrainingException { Problem: TrainingProblem.Stopped, Folder: var run } => $"; continue from it with --resume {run}",
        OtherRunException { Epochs: { } epochs } => $"; go on with --epochs {epochs}, or choose another folder with --out",
        OtherRunException => "; choose another folder with --out",
        _ => "",
    };
}
