using System.Runtime.InteropServices;
using AdderNet.Data;
using AdderNet.Data.Detection;
using AdderNet.Graph;
using AdderNet.Models;
using TorchSharp;
using static TorchSharp.torch;

namespace AdderNet.Training.Detection;

/// <summary>Finds objects in images with a model of <see cref="DetectionModels"/>.</summary>
/// <param name="model">Images [N, C, H, W] to rows [N, ...]; in evaluation mode. It stays the caller's.</param>
/// <param name="levels">The model's maps.</param>
/// <param name="classes">Classes of objects.</param>
public sealed class Detector(nn.Module<Tensor, Tensor> model, IReadOnlyList<DetectionLevel> levels, int classes)
{
    private FcosGrid? grid;

    /// <summary>Finds the objects of one image of any size.</summary>
    /// <param name="image">The image, with as many channels as the model takes.</param>
    /// <param name="preparation">How it becomes the model's input.</param>
    /// <param name="leastScore">Objects that are less sure are none.</param>
    /// <returns>The objects in pixels of the stored image, surest first.</returns>
    /// <exception cref="DataException">The image cannot be prepared.</exception>
    public IReadOnlyList<FoundBox> Find(RawImage image, Augmentation preparation, float leastScore = BoxDecoding.LeastScore)
    {
        ArgumentNullException.ThrowIfNull(preparation);
        (float[] pixels, int height, int width, Placement placement) = preparation.Place(image);
        using var scope = NewDisposeScope();
        Tensor input = tensor(pixels, [1, height, width, image.Channels]).permute(0, 3, 1, 2);
        return Stored(Rows(input)[0], placement, image.StoredWidth, image.StoredHeight, leastScore);
    }

    /// <summary>The objects of each prepared image, in pixels of the stored ones.</summary>
    internal List<FoundBox>[] Find(DetectionBatch batch, IReadOnlyList<LabelledImage> images)
    {
        using var scope = NewDisposeScope();
        return [.. Rows(batch.Images.ImageTensor()).Select((row, i) =>
        {
            LabelledImage image = images[batch.Images.Indices[i]];
            return Stored(row, batch.Placements[i], image.Width, image.Height, BoxDecoding.LeastScore);
        })];
    }

    private List<FoundBox> Stored(float[] row, Placement placement, int width, int height, float leastScore) =>
    [
        .. FcosDecoder.Decode(row, grid!, leastScore).Select(f => f with { Box = placement.Invert(f.Box).Clip(width, height) })
            .Where(f => f.Box.Area > 0),
    ];

    private float[][] Rows(Tensor images)
    {
        using var guard = no_grad();
        (int height, int width) = ((int)images.shape[2], (int)images.shape[3]);
        grid = grid is not null && (grid.Height, grid.Width) == (height, width) ? grid : new FcosGrid(levels, height, width, classes);
        Tensor rows = model.call(images).contiguous();
        if (rows.dim() != 2 || rows.shape[1] != grid.RowLength)
        {
            throw new TrainingException(
                $"The model gives [{string.Join(", ", rows.shape)}] for images of {height}x{width}; "
                + $"a detector of {classes} classes gives rows of {grid.RowLength}.");
        }

        float[] values = MemoryMarshal.Cast<byte, float>(rows.bytes).ToArray();
        return [.. values.Chunk(grid.RowLength)];
    }
}
