namespace AdderNet.Data;

/// <summary>MNIST and its drop-in replacements: one IDX file of images and one of labels a split.</summary>
internal static class IdxDataset
{
    public static Dataset Load(DatasetInfo info, string imagesPath, string labelsPath)
    {
        using FileStream images = DataFile.Open(imagesPath), labels = DataFile.Open(labelsPath);
        return Load(info, images, imagesPath, labels, labelsPath);
    }

    public static Dataset Load(DatasetInfo info, Stream images, string imagesPath, Stream labels, string labelsPath)
    {
        (int[] labelSizes, byte[] labelBytes) = Idx.Read(labels, labelsPath, rank: 1);
        (int[] sizes, byte[] pixels) = Idx.Read(images, imagesPath, rank: 3);
        if (sizes[1] != info.Height || sizes[2] != info.Width)
        {
            throw new DataException($"{imagesPath} holds images of {sizes[1]}x{sizes[2]}, but {info.Title}'s are {info.Height}x{info.Width}; check that it is the right file.");
        }

        if (sizes[0] != labelSizes[0])
        {
            throw new DataException($"{imagesPath} holds {sizes[0]} images, but {labelsPath} holds {labelSizes[0]} labels; use files that belong together.");
        }

        int[] values = new int[labelBytes.Length];
        for (int i = 0; i < values.Length; i++)
        {
            values[i] = labelBytes[i] < info.Classes
                ? labelBytes[i]
                : throw new DataException($"{labelsPath} gives image {i} the label {labelBytes[i]}, but {info.Title} has {info.Classes} classes (0 to {info.Classes - 1}); check that it is the right file.");
        }

        return Dataset.FromMemory(info, pixels, values);
    }
}
