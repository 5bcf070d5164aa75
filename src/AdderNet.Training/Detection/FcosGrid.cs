using AdderNet.Models;

namespace AdderNet.Training.Detection;

/// <summary>The places of a detector's maps, for images of a size: map after map, row by row.</summary>
internal sealed class FcosGrid
{
    /// <param name="levels">The maps.</param>
    /// <param name="height">Rows of the images.</param>
    /// <param name="width">Columns of the images.</param>
    /// <param name="classes">Classes of objects.</param>
    public FcosGrid(IReadOnlyList<DetectionLevel> levels, int height, int width, int classes)
    {
        (Height, Width, Classes) = (height, width, classes);
        List<Map> maps = [];
        foreach (DetectionLevel level in levels)
        {
            // Each layer that halves a map of an odd number of rows rounds up.
            Map map = new(level, (height + level.Stride - 1) / level.Stride, (width + level.Stride - 1) / level.Stride, Places);
            maps.Add(map);
            Places += map.Rows * map.Columns;
        }

        Maps = maps;
    }

    public IReadOnlyList<Map> Maps { get; }

    public int Height { get; }

    public int Width { get; }

    public int Classes { get; }

    /// <summary>Values at a place: a logit a class, four distances, the centre-ness.</summary>
    public int Values => Classes + 5;

    /// <summary>Places of all maps.</summary>
    public int Places { get; }

    /// <summary>Length of an image's row of outputs.</summary>
    public int RowLength => Places * Values;

    /// <param name="Level">What it finds.</param>
    /// <param name="Rows">Its rows.</param>
    /// <param name="Columns">Its columns.</param>
    /// <param name="First">Its first place among those of all maps.</param>
    public sealed record Map(DetectionLevel Level, int Rows, int Columns, int First)
    {
        /// <summary>The pixel that a row or column stands for: the middle of its stride.</summary>
        public float Centre(int index) => (index + 0.5f) * Level.Stride;
    }
}
