namespace AdderNet.Data;

/// <summary>Images that a loader prepares. Reading is safe from several threads.</summary>
internal interface IImageSource
{
    /// <summary>What the images are.</summary>
    DatasetInfo Info { get; }

    /// <summary>Number of images.</summary>
    int Count { get; }

    /// <summary>An image's class; 0 where images have none.</summary>
    int Label(int index);

    /// <summary>One image, whose pixels live in <paramref name="buffers"/> until the next call with these.</summary>
    RawImage Read(int index, ImageFile.Buffers buffers);

    /// <summary>What to call an image in a message.</summary>
    string Describe(int index);
}
