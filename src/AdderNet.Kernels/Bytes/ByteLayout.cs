namespace AdderNet.Kernels.Bytes;

/// <summary>
/// How one image's planes of bytes lie in memory: channel after channel, row after row, with a border of zeros around each plane, so that
/// the next layer finds its padding in place.
/// </summary>
/// <remarks>
/// A plane of Width 5 and Height 3 with Border 1; z is 0 and stays 0, x is a code:
/// <code>
///         Pitch = Width + 2 * Border
///        |&lt;-------------&gt;|
///         z z z z z z z     Border rows
///         z x x x x x z     row 0: starts at Offset(channel, 0, 0)
///         z x x x x x z     row 1: Pitch bytes later
///         z x x x x x z
///         z z z z z z z     then the next channel: PlaneLength bytes later; then the next image: ImageLength bytes later
/// </code>
/// Kernels read the border as a layer's padding and write only the x: memory cleared once holds any number of results after each other.
/// After the last image come <see cref="Slack"/> bytes, which vectors may read but nothing writes.
/// </remarks>
/// <param name="Channels">Channels C.</param>
/// <param name="Height">Rows H.</param>
/// <param name="Width">Columns W.</param>
/// <param name="Border">Zeros on each side of a plane: at least the largest padding of the layers that read it.</param>
public readonly record struct ByteLayout(int Channels, int Height, int Width, int Border)
{
    /// <summary>Bytes behind the last image.</summary>
    public const int Slack = 64;

    /// <summary>Bytes from one row to the next.</summary>
    public int Pitch => Width + 2 * Border;

    /// <summary>Bytes from one channel's plane to the next.</summary>
    public int PlaneLength => checked(Pitch * (Height + 2 * Border));

    /// <summary>Bytes from one image to the next.</summary>
    public long ImageLength => (long)PlaneLength * Channels;

    /// <summary>Where an element lies, from its image's start; rows and columns of the border are negative or beyond the size.</summary>
    /// <param name="channel">Channel, from 0.</param>
    /// <param name="row">Row, from -Border.</param>
    /// <param name="column">Column, from -Border.</param>
    public long Offset(int channel, int row, int column) =>
        (long)channel * PlaneLength + (long)(row + Border) * Pitch + column + Border;

    /// <summary>Bytes that so many images take, the slack included.</summary>
    /// <param name="images">Images N.</param>
    public long Length(int images) => images * ImageLength + Slack;
}
