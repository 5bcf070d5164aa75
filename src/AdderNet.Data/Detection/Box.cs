namespace AdderNet.Data.Detection;

/// <summary>
/// A rectangle in an image, by the edges between pixels: the box of a whole image goes from (0, 0) to (its width, its height).
/// </summary>
/// <param name="X0">Left edge.</param>
/// <param name="Y0">Upper edge.</param>
/// <param name="X1">Right edge.</param>
/// <param name="Y1">Lower edge.</param>
public readonly record struct Box(float X0, float Y0, float X1, float Y1)
{
    /// <summary>Pixels from left to right.</summary>
    public float Width => X1 - X0;

    /// <summary>Pixels from top to bottom.</summary>
    public float Height => Y1 - Y0;

    /// <summary>Pixels within; 0 for a box that is empty or reversed.</summary>
    public float Area => Math.Max(0, Width) * Math.Max(0, Height);

    /// <summary>Pixels that both boxes have.</summary>
    public float Overlap(Box other) =>
        new Box(Math.Max(X0, other.X0), Math.Max(Y0, other.Y0), Math.Min(X1, other.X1), Math.Min(Y1, other.Y1)).Area;

    /// <summary>Intersection over union (Jaccard index), 0 to 1; 0 where both are empty.</summary>
    public float IoU(Box other)
    {
        float overlap = Overlap(other), union = Area + other.Area - overlap;
        return union > 0 ? overlap / union : 0;
    }

    /// <summary>What of the box lies in an image.</summary>
    /// <param name="width">Columns of the image.</param>
    /// <param name="height">Rows of the image.</param>
    public Box Clip(float width, float height) =>
        new(Math.Clamp(X0, 0, width), Math.Clamp(Y0, 0, height), Math.Clamp(X1, 0, width), Math.Clamp(Y1, 0, height));

    /// <inheritdoc/>
    public override string ToString() => FormattableString.Invariant($"({X0}, {Y0}) to ({X1}, {Y1})");
}
