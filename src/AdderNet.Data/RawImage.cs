using AdderNet.Data.Detection;

namespace AdderNet.Data;

/// <summary>An image of bytes: rows from the top, pixels from the left, channels interleaved (HWC).</summary>
/// <param name="Height">Rows.</param>
/// <param name="Width">Columns.</param>
/// <param name="Channels">1 for grey, 3 for RGB.</param>
/// <param name="Pixels">Height * Width * Channels bytes.</param>
public readonly record struct RawImage(int Height, int Width, int Channels, ReadOnlyMemory<byte> Pixels)
{
    private readonly int storedHeight, storedWidth;

    /// <summary>Rows of the image in its file: more than <see cref="Height"/> where it was so large that it was reduced while it was read.</summary>
    public int StoredHeight
    {
        get => storedHeight > 0 ? storedHeight : Height;
        init => storedHeight = value;
    }

    /// <summary>Columns of the image in its file.</summary>
    public int StoredWidth
    {
        get => storedWidth > 0 ? storedWidth : Width;
        init => storedWidth = value;
    }

    /// <summary>Where a point of the image in its file lies in these pixels.</summary>
    internal Placement Placement => Placement.Identity.Scale((double)Width / StoredWidth, (double)Height / StoredHeight);

    /// <summary>The same image with 1 or 3 channels.</summary>
    /// <remarks>Grey is ITU-R 601 luma, 0.299 R + 0.587 G + 0.114 B in the 16-bit fixed point that Pillow uses, rounded.</remarks>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="channels"/> is neither 1 nor 3.</exception>
    public RawImage WithChannels(int channels)
    {
        if (channels is not (1 or 3))
        {
            throw new ArgumentOutOfRangeException(nameof(channels), channels, "An image has 1 channel (grey) or 3 (RGB).");
        }

        if (channels == Channels)
        {
            return this;
        }

        ReadOnlySpan<byte> from = Pixels.Span;
        byte[] to = new byte[Height * Width * channels];
        for (int i = 0; i < Height * Width; i++)
        {
            if (channels == 1)
            {
                to[i] = (byte)((from[3 * i] * 19595 + from[3 * i + 1] * 38470 + from[3 * i + 2] * 7471 + 0x8000) >> 16);
            }
            else
            {
                to.AsSpan(3 * i, 3).Fill(from[i]);
            }
        }

        return this with { Channels = channels, Pixels = to };
    }

    /// <summary>Light where the image is dark: 255 less each value.</summary>
    public RawImage Negative()
    {
        byte[] to = Pixels.ToArray();
        for (int i = 0; i < to.Length; i++)
        {
            to[i] = (byte)(255 - to[i]);
        }

        return this with { Pixels = to };
    }

    /// <summary>The image at another size; the same filter as PyTorch's <c>Resize</c> on a Pillow image (antialiased bilinear).</summary>
    /// <exception cref="ArgumentOutOfRangeException">A size is below 1.</exception>
    public RawImage Resize(int height, int width)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(height, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(width, 1);
        byte[] to = new byte[checked(height * width * Channels)];
        new Resampler().Run(this, 0, 0, Height, Width, height, width, to);
        return new RawImage(height, width, Channels, to);
    }

    /// <summary>
    /// The image scaled so that it just covers <paramref name="height"/> x <paramref name="width"/>, then cut to that size
    /// around its centre: nothing is stretched.
    /// </summary>
    /// <exception cref="ArgumentOutOfRangeException">A size is below 1.</exception>
    public RawImage ResizeToCover(int height, int width)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(height, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(width, 1);
        // The part of the source that has the target's shape, centred.
        int cropH = Height, cropW = Width;
        if ((long)Height * width > (long)Width * height)
        {
            cropH = Math.Max(1, (int)((long)Width * height / width));
        }
        else
        {
            cropW = Math.Max(1, (int)((long)Height * width / height));
        }

        byte[] to = new byte[checked(height * width * Channels)];
        new Resampler().Run(this, (Height - cropH) / 2, (Width - cropW) / 2, cropH, cropW, height, width, to);
        return new RawImage(height, width, Channels, to);
    }
}
