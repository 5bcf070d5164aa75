using System.CommandLine;
using AdderNet.Models;
using AdderNet.Training;
using AdderNet.Training.Detection;

namespace AdderNet.Cli.Detection;

/// <summary>The options of <c>train</c> that only detectors have.</summary>
internal sealed class DetectionOptions
{
    private readonly Option<Neck?> neck = CommonOptions.Choice(
        "--neck", "Detection: how maps of several sizes come together, by the AdderNet paper's R-PAFPN or by a plain FPN",
        ("rpafpn", Neck.RPafpn), ("fpn", Neck.Fpn));

    private readonly Option<LayerKind?> neckLayers = CommonOptions.Choice(
        "--neck-layers", "Detection: layers of the neck; by default those of --layers",
        ("adder", LayerKind.Adder), ("cnn", LayerKind.Conv));

    private readonly Option<LayerKind?> headLayers = CommonOptions.Choice(
        "--head-layers", "Detection: layers of the head; cnn by default, since adder layers lose much there",
        ("adder", LayerKind.Adder), ("cnn", LayerKind.Conv));

    private readonly Option<bool> freezeBatchNorm = new("--freeze-batchnorm")
    {
        Description = "Detection: keep the statistics of the backbone's BatchNorms as they start (AdderNets do not converge so)",
    };

    private readonly Option<string?> backbone = new("--backbone")
    {
        HelpName = "RUN|FILE",
        Description = "Detection: start the backbone with the weights of a classification run, or of a file of weights",
    };

    private readonly Option<int?> imageSize = CommonOptions.Number(
        "--image-size", "N", "Detection: side of the square that images are scaled into, a multiple of 32", 32, 4096);

    public IEnumerable<Option> All => [neck, neckLayers, headLayers, freezeBatchNorm, backbone, imageSize];

    /// <summary>The recipe with what was given.</summary>
    public Recipe Apply(Recipe recipe, ParseResult arguments)
    {
        DetectionRecipe old = recipe.Detection ?? new DetectionRecipe();
        recipe = recipe with
        {
            Detection = old with
            {
                Neck = arguments.GetValue(neck) ?? old.Neck,
                NeckLayers = arguments.GetValue(neckLayers) ?? old.NeckLayers,
                HeadLayers = arguments.GetValue(headLayers) ?? old.HeadLayers,
                FreezeBatchNorm = arguments.GetValue(freezeBatchNorm) || old.FreezeBatchNorm,
                Backbone = arguments.GetValue(backbone) is { } path ? Path.GetFullPath(path) : old.Backbone,
            },
        };
        if (arguments.GetValue(imageSize) is not { } side)
        {
            return recipe;
        }

        recipe = recipe.WithAugmentation();
        return recipe is { TrainAugmentation: { ScaleJitter: { } learning } train, TestAugmentation: { ScaleJitter: { } measuring } test }
            ? recipe with
            {
                TrainAugmentation = train with { ScaleJitter = learning with { Size = side } },
                TestAugmentation = test with { ScaleJitter = measuring with { Size = side } },
            }
            : throw CliException.Usage(
                "--image-size sets the size of the recipe's scaleJitter, and this recipe has none; set the size in the recipe.");
    }
}
