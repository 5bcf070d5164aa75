using AdderNet.Graph;

namespace AdderNet.Export;

/// <summary>
/// Where a prepared picture lies in a network's input: it is scaled until it covers a frame, of whose middle a part is seen, with black
/// around it.
/// </summary>
/// <param name="Height">Its rows.</param>
/// <param name="Width">Its columns.</param>
internal readonly record struct PictureFrame(PictureFrame.Extent Height, PictureFrame.Extent Width)
{
    /// <summary>One direction.</summary>
    /// <param name="Covered">Pixels of the frame that the scaled picture covers.</param>
    /// <param name="Start">The first pixel of the input that is not black.</param>
    /// <param name="Length">How many are not black.</param>
    internal readonly record struct Extent(int Covered, int Start, int Length);

    /// <summary>
    /// The frame of a preparation: what is left of the padding depends on the size of what was padded, and on what was cut out afterwards.
    /// </summary>
    /// <param name="preparation">How images were prepared.</param>
    /// <param name="input">The network's input, which came of it.</param>
    public static PictureFrame Of(InputPreparation preparation, FeatureShape input)
    {
        (int Height, int Width)? frame = preparation is { CoverHeight: { } height, CoverWidth: { } width } ? (height, width) : null;
        if (preparation.Resize is { } side)
        {
            // To scale the shorter side to a length is to cover a square of that length.
            int shorter = Math.Max(1, Math.Min(frame?.Height ?? 1, frame?.Width ?? 1));
            frame = ((frame?.Height ?? 1) * side / shorter, (frame?.Width ?? 1) * side / shorter);
        }

        return new PictureFrame(Along(input.Height, frame?.Height, preparation), Along(input.Width, frame?.Width, preparation));
    }

    private static Extent Along(int size, int? covered, InputPreparation preparation)
    {
        int pad = preparation.Pad;
        // Of images of unknown size a picture fills what padding leaves, and all that is cut out.
        int image = Math.Max(1, covered ?? (preparation.CenterCrop is null ? size - 2 * pad : size));
        int start = preparation.CenterCrop is { } crop ? pad - Middle(image + 2 * pad, crop) : pad;
        int first = Math.Clamp(start, 0, size - 1);
        return new Extent(image, first, Math.Clamp(start + image, first + 1, size) - first);
    }

    /// <summary>Where a crop begins, as torchvision's CenterCrop rounds it; below 0 where it is larger than what it is cut out of.</summary>
    private static int Middle(int size, int crop) =>
        size >= crop ? (int)Math.Round((size - crop) / 2.0) : -((crop - size) / 2);
}
