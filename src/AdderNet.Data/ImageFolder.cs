namespace AdderNet.Data;

/// <summary>
/// Images in one folder a class, as ImageNet is laid out and torchvision's ImageFolder reads it:
/// DIR/train/CLASS/*.jpg and DIR/val (or test)/CLASS/*.jpg; labels follow the sorted names of the classes.
/// </summary>
internal static class ImageFolder
{
    private static readonly string[] TestNames = ["val", "validation", "test"];

    private static readonly EnumerationOptions Recursive = new() { RecurseSubdirectories = true, MaxRecursionDepth = 16, IgnoreInaccessible = false };

    public static Dataset Open(DatasetInfo info, bool train, string? root, CancellationToken cancellation)
    {
        if (root is null)
        {
            throw new DataException("An image folder has no download; give its path with --data-dir (it holds train/CLASS/*.jpg and val/CLASS/*.jpg).");
        }

        if (!Directory.Exists(root))
        {
            throw new DataException($"{root} does not exist or is no folder; give the folder that holds train/CLASS/*.jpg and val/CLASS/*.jpg.");
        }

        string trainPath = Path.Combine(root, "train");
        string? testPath = TestNames.Select(name => Path.Combine(root, name)).FirstOrDefault(Directory.Exists);
        string path = train ? trainPath : testPath ?? Path.Combine(root, TestNames[0]);
        if (!Directory.Exists(path))
        {
            throw new DataException($"{root} has no folder {(train ? "train" : "val or test")}; it should hold train/CLASS/*.jpg and val/CLASS/*.jpg.");
        }

        return DataFile.Guard(path, () =>
        {
            try
            {
                return Scan(info, path, train, Directory.Exists(trainPath) ? trainPath : path, cancellation);
            }
            catch (UnauthorizedAccessException e)
            {
                throw new DataException($"{path} holds a folder that may not be read; check its permissions ({DataFile.OneLine(e)}).", e);
            }
        });
    }

    // Labels come from the training folder's classes, so that a class without test images shifts no other's label.
    private static Dataset Scan(DatasetInfo info, string path, bool train, string classesPath, CancellationToken cancellation)
    {
        string[] classes = Classes(classesPath);
        if (classes.Length == 0)
        {
            throw new DataException($"{classesPath} has no class folders; put the images of each class into a folder of its own there.");
        }

        var files = new List<string>();
        var labels = new List<int>();
        foreach (string name in train ? classes : Classes(path))
        {
            cancellation.ThrowIfCancellationRequested();
            int label = Array.BinarySearch(classes, name, StringComparer.Ordinal);
            if (label < 0)
            {
                throw new DataException($"{Path.Combine(path, name)} is a class that {classesPath} lacks; remove it, or add its training images.");
            }

            string folder = Path.Combine(path, name);
            string[] images = [.. Directory.EnumerateFiles(folder, "*", Recursive).Where(ImageFormats.IsImageName)];
            if (images.Length == 0)
            {
                throw new DataException($"{folder} holds no .jpg, .jpeg or .png image; add images of this class, or remove the folder.");
            }

            Array.Sort(images, StringComparer.Ordinal);
            files.AddRange(images);
            labels.AddRange(Enumerable.Repeat(label, images.Length));
        }

        if (files.Count == 0)
        {
            throw new DataException($"{path} has no class folders; put the images of each class into a folder of its own there.");
        }

        info = info with { ClassNames = classes, TrainCount = train ? files.Count : 0, TestCount = train ? 0 : files.Count };
        return Dataset.FromFiles(info, files, [.. labels]);
    }

    private static string[] Classes(string path)
    {
        string[] names = [.. Directory.EnumerateDirectories(path).Select(folder => Path.GetFileName(folder)!).Where(name => name[0] != '.')];
        Array.Sort(names, StringComparer.Ordinal);
        return names;
    }
}
