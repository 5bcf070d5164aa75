namespace AdderNet.Data;

/// <summary>
/// Makes an image smaller by a whole factor while its rows arrive, in any order: each pixel of the result is the mean of a square of
/// them. Memory is that of the result, whatever the image's size.
/// </summary>
internal sealed class BoxReducer
{
    // What a reduced image has at most: far more than any network takes, and 50 MB of sums.
    private const int MaxPixels = 4_000_000;

    private readonly int fullHeight, fullWidth, factor;
    private readonly int[] sums;

    /// <summary>A reducer for images of this size, by a factor of at least so many.</summary>
    public BoxReducer(int height, int width, int leastFactor = 2)
    {
        (fullHeight, fullWidth) = (height, width);
        for (factor = leastFactor; ; factor++)
        {
            (Height, Width) = ((height + factor - 1) / factor, (width + factor - 1) / factor);
            // Either side stays at 1 at least, so that this ends.
            if ((long)Height * Width <= MaxPixels)
            {
                break;
            }
        }

        sums = new int[Height * Width * 3];
    }

    /// <summary>Rows of the result.</summary>
    public int Height { get; }

    /// <summary>Columns of the result.</summary>
    public int Width { get; }

    /// <summary>Adds pixels of one row: those in columns x, x + step, ...</summary>
    /// <param name="y">The row.</param>
    /// <param name="pixels">Their values, <paramref name="bytes"/> a pixel, of which the first three count.</param>
    /// <param name="bytes">3 for RGB, 4 for RGBA.</param>
    /// <param name="x">The first pixel's column.</param>
    /// <param name="step">Columns from one pixel to the next.</param>
    public void Add(int y, ReadOnlySpan<byte> pixels, int bytes, int x = 0, int step = 1)
    {
        Span<int> row = sums.AsSpan(y / factor * Width * 3, Width * 3);
        for (int i = 0; i + bytes <= pixels.Length; i += bytes, x += step)
        {
            Span<int> sum = row.Slice(x / factor * 3, 3);
            sum[0] += pixels[i];
            sum[1] += pixels[i + 1];
            sum[2] += pixels[i + 2];
        }
    }

    /// <summary>The mean of each square, rounded, [Height, Width, 3].</summary>
    public byte[] ToBytes()
    {
        byte[] result = new byte[sums.Length];
        for (int y = 0, i = 0; y < Height; y++)
        {
            int rows = Math.Min(factor, fullHeight - y * factor);
            for (int x = 0; x < Width; x++)
            {
                int count = rows * Math.Min(factor, fullWidth - x * factor);
                for (int c = 0; c < 3; c++, i++)
                {
                    result[i] = (byte)((sums[i] + count / 2) / count);
                }
            }
        }

        return result;
    }
}
