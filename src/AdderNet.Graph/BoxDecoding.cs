namespace AdderNet.Graph;

/// <summary>
/// How the output of a detector (FCOS) becomes boxes. The output is a row of maps, one after another, each [classes + 5, rows, columns]: a
/// logit a class, the logarithms of the distances from the place to the left, upper, right and lower edge in strides, and the centre-ness'
/// logit. A place is the middle of its stride, a score the geometric mean of the class's and the centre-ness' probability. Of each map the
/// surest are candidates; of each class those are kept, in the order of their scores, that overlap none before them too much.
/// </summary>
/// <param name="Height">Rows of the network's input.</param>
/// <param name="Width">Columns of it.</param>
/// <param name="Strides">Pixels of the input from one place to the next, map by map.</param>
public sealed record BoxDecoding(int Height, int Width, IReadOnlyList<int> Strides)
{
    /// <summary>Boxes that are less sure are none.</summary>
    public const float LeastScore = 0.05f;

    /// <summary>Boxes of one class whose intersection over union is larger are of one object.</summary>
    public const float MostOverlap = 0.6f;

    /// <summary>The most candidates of a map.</summary>
    public const int MostPerMap = 1000;

    /// <summary>The most boxes of an image.</summary>
    public const int Most = 100;

    /// <summary>The logarithm of the largest distance in strides, more than any image has; what is larger counts as this.</summary>
    public const float MostLogarithm = 6;

    /// <summary>Values at a place beside the classes' logits: four distances and the centre-ness.</summary>
    public const int ValuesBeside = 5;

    /// <summary>Rows and columns of the map of a stride: each layer that halves a map of an odd number of rows rounds up.</summary>
    /// <param name="stride">The stride.</param>
    public (int Rows, int Columns) Map(int stride) => ((Height + stride - 1) / stride, (Width + stride - 1) / stride);

    /// <summary>Values of the output for so many classes.</summary>
    /// <param name="classes">Classes.</param>
    public long Length(int classes) => Strides.Sum(stride =>
    {
        (int rows, int columns) = Map(stride);
        return (long)rows * columns * (classes + ValuesBeside);
    });

    internal void Check(int classes, IReadOnlyList<FeatureShape> outputs)
    {
        const int largest = 1 << 16;
        if (Height is < 1 or > largest || Width is < 1 or > largest || Strides.Count == 0 || Strides.Any(stride => stride is < 1 or > largest))
        {
            throw new GraphException($"There are no boxes in images of {Height}x{Width} on maps of strides {string.Join(", ", Strides)}.");
        }

        if (classes < 1)
        {
            throw new GraphException("A detector names the classes that it finds, and this one names none.");
        }

        if (outputs is not [FeatureShape row] || row.Count != Length(classes))
        {
            throw new GraphException(
                $"A detector of {classes} classes for images of {Height}x{Width} has one output of {Length(classes)} values, "
                + $"not {string.Join(" and ", outputs)}.");
        }
    }
}
