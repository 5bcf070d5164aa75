namespace AdderNet.Kernels.Bytes;

/// <summary>Codes of a batch of images in somebody's memory: [N, C, H, W] as <see cref="ByteLayout"/> says.</summary>
public readonly ref struct BytePlanes
{
    /// <summary>A view of memory that holds, or shall hold, images of a layout.</summary>
    /// <param name="memory">At least <see cref="ByteLayout.Length"/> bytes; where they are to be written or read with padding, borders are 0.</param>
    /// <param name="images">Images N.</param>
    /// <param name="layout">Where their elements lie.</param>
    /// <exception cref="ArgumentException">A size is not positive, the border negative, or the memory too short.</exception>
    public BytePlanes(Span<byte> memory, int images, ByteLayout layout)
    {
        if (images < 1 || layout.Channels < 1 || layout.Height < 1 || layout.Width < 1 || layout.Border < 0)
        {
            throw new ArgumentException($"{images} images of {layout} are no planes; sizes must be at least 1 and the border at least 0.");
        }

        if (memory.Length < layout.Length(images))
        {
            throw new ArgumentException($"{images} images of {layout} take {layout.Length(images)} bytes, but the memory holds {memory.Length}.");
        }

        Memory = memory;
        Images = images;
        Layout = layout;
    }

    /// <summary>The memory, from the first image's border on.</summary>
    public Span<byte> Memory { get; }

    /// <summary>Images N.</summary>
    public int Images { get; }

    /// <summary>Where the elements lie.</summary>
    public ByteLayout Layout { get; }

    /// <summary>Planes in new memory, all 0.</summary>
    /// <param name="images">Images N.</param>
    /// <param name="layout">Where the elements shall lie.</param>
    public static BytePlanes Allocate(int images, ByteLayout layout) => new(new byte[checked((int)layout.Length(images))], images, layout);

    /// <summary>Writes the elements; the border stays as it is.</summary>
    /// <param name="codes">Codes [N, C, H, W] without a border.</param>
    /// <exception cref="ArgumentException">The span's length is not N * C * H * W.</exception>
    public void CopyFrom(ReadOnlySpan<byte> codes)
    {
        CheckDense(codes.Length);
        for (int row = 0; row * (long)Layout.Width < codes.Length; row++)
        {
            codes.Slice(row * Layout.Width, Layout.Width).CopyTo(Memory[Row(row)..]);
        }
    }

    /// <summary>Reads the elements.</summary>
    /// <param name="codes">Codes [N, C, H, W] without a border; overwritten.</param>
    /// <exception cref="ArgumentException">The span's length is not N * C * H * W.</exception>
    public void CopyTo(Span<byte> codes)
    {
        CheckDense(codes.Length);
        for (int row = 0; row * (long)Layout.Width < codes.Length; row++)
        {
            Memory.Slice(Row(row), Layout.Width).CopyTo(codes[(row * Layout.Width)..]);
        }
    }

    private void CheckDense(int length)
    {
        if (length != (long)Images * Layout.Channels * Layout.Height * Layout.Width)
        {
            throw new ArgumentException($"The span holds {length} codes where {Images} images of {Layout} have {(long)Images * Layout.Channels * Layout.Height * Layout.Width}.");
        }
    }

    private int Row(int row)
    {
        int plane = row / Layout.Height;
        return (int)(plane / Layout.Channels * Layout.ImageLength + Layout.Offset(plane % Layout.Channels, row % Layout.Height, 0));
    }
}
