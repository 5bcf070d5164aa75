using AdderNet.Data;
using AdderNet.Models;

namespace AdderNet.Cli;

/// <summary>What a model is trained on and what a data set is trained with, where only one of them is named.</summary>
internal static class Partners
{
    /// <summary>The rule of <see cref="ModelFor"/>, for help and lists.</summary>
    public const string Rule = "lenet5-bn for grey images, resnet20 for colour images of up to 64x64, resnet18 for larger ones and folders, fcos-resnet20 for images with boxes";

    /// <summary>The model for a data set, by its images alone.</summary>
    public static ModelInfo ModelFor(DatasetInfo data) => Names.Model(data switch
    {
        { HasBoxes: true } => "fcos-resnet20",
        { Channels: 1 } => "lenet5-bn",
        { Height: > 0 and <= 64 } => "resnet20",
        _ => "resnet18",
    });

    /// <summary>The data set for a model, by its input alone.</summary>
    public static DatasetInfo DataFor(ModelInfo model) => Datasets.Find(model switch
    {
        { FindsBoxes: true, InputSize: <= 128 } => "digits",
        { FindsBoxes: true } => "voc",
        { InputChannels: 1 } => "mnist",
        { InputSize: <= 64 } => "cifar10",
        _ => "imagefolder",
    });
}
