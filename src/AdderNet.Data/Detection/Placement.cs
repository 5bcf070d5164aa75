namespace AdderNet.Data.Detection;

/// <summary>
/// Where a point of a stored image lies in the prepared one: x becomes x * ScaleX + OffsetX, y becomes y * ScaleY + OffsetY. A mirrored
/// image has a negative ScaleX.
/// </summary>
/// <param name="ScaleX">Prepared columns a stored one.</param>
/// <param name="ScaleY">Prepared rows a stored one.</param>
/// <param name="OffsetX">The prepared column of the stored image's left edge.</param>
/// <param name="OffsetY">The prepared row of the stored image's upper edge.</param>
public readonly record struct Placement(double ScaleX, double ScaleY, double OffsetX, double OffsetY)
{
    /// <summary>An image that is left as it is.</summary>
    public static Placement Identity => new(1, 1, 0, 0);

    /// <summary>A box of the stored image, in the prepared one; it may reach beyond it.</summary>
    public Box Apply(Box box) => Ordered(
        box.X0 * ScaleX + OffsetX, box.Y0 * ScaleY + OffsetY, box.X1 * ScaleX + OffsetX, box.Y1 * ScaleY + OffsetY);

    /// <summary>A box of the prepared image, in the stored one.</summary>
    public Box Invert(Box box) => Ordered(
        (box.X0 - OffsetX) / ScaleX, (box.Y0 - OffsetY) / ScaleY, (box.X1 - OffsetX) / ScaleX, (box.Y1 - OffsetY) / ScaleY);

    /// <summary>Then scaled.</summary>
    internal Placement Scale(double x, double y) => new(ScaleX * x, ScaleY * y, OffsetX * x, OffsetY * y);

    /// <summary>Then cut, so that this column and row become the first.</summary>
    internal Placement Cut(double x, double y) => this with { OffsetX = OffsetX - x, OffsetY = OffsetY - y };

    /// <summary>Then mirrored left to right, in an image of so many columns.</summary>
    internal Placement Mirror(int width) => this with { ScaleX = -ScaleX, OffsetX = width - OffsetX };

    private static Box Ordered(double x0, double y0, double x1, double y1) =>
        new((float)Math.Min(x0, x1), (float)Math.Min(y0, y1), (float)Math.Max(x0, x1), (float)Math.Max(y0, y1));
}
