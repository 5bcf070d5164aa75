namespace AdderNet.Graph;

/// <summary>What a network was made for: enough to feed it and to read its answers.</summary>
/// <param name="Model">The model's name, e.g. <c>resnet20</c>; null where it has none.</param>
/// <param name="Dataset">The data set it was trained on, e.g. <c>cifar10</c>; null where that is not known.</param>
/// <param name="ClassNames">Names of its classes by index; null where they are not known.</param>
/// <param name="Preparation">How an image becomes its input; null where that is not known.</param>
/// <param name="Boxes">How its output becomes boxes; null for a network that is no detector.</param>
public sealed record NetworkMetadata(
    string? Model = null, string? Dataset = null, IReadOnlyList<string>? ClassNames = null, InputPreparation? Preparation = null,
    BoxDecoding? Boxes = null);

/// <summary>
/// How an 8-bit image becomes a network's input: scaled to cover the training images' size, its shorter side resized, padded with black,
/// its centre cut out, or scaled into a square (whichever are set, in this order), then (value / 255 - Mean) / Std channel by channel.
/// </summary>
/// <param name="Mean">What is subtracted, one value a channel (or one for all), on the scale where white is 1.</param>
/// <param name="Std">What the difference is divided by, one value a channel (or one for all).</param>
/// <param name="CoverHeight">Rows of the stored images that it was trained on, where they were all alike.</param>
/// <param name="CoverWidth">Columns of them.</param>
/// <param name="Resize">Length that the shorter side is scaled to.</param>
/// <param name="Pad">Black pixels added on each side.</param>
/// <param name="CenterCrop">Side of the square cut out of the middle.</param>
/// <param name="Fit">Side of the square that the longer side is scaled to; the image lies in its middle, on black.</param>
public sealed record InputPreparation(
    IReadOnlyList<float> Mean, IReadOnlyList<float> Std, int? CoverHeight = null, int? CoverWidth = null, int? Resize = null, int Pad = 0,
    int? CenterCrop = null, int? Fit = null);
