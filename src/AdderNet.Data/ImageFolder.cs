namespace AdderNet.Data;

/// <summary>
/// Images in one folder a class, as ImageNet is laid out and torchvision's ImageFolder reads it: DIR/train/CLASS/*.jpg, beside it val (or
/// valid, validation, dev) and test in the same way; or class folders alone. Labels follow the sorted names of the training classes.
/// </summary>
/// <remarks>
/// The best epoch is chosen by validation images and never by test images. Where there are none, a tenth of each class's training images
/// is held out for it: the same ones in every run, so that runs can be compared and their models measured later.
/// </remarks>
internal sealed class ImageFolder
{
    private const string Layout = "it should hold train/CLASS/*.jpg and val/CLASS/*.jpg, or CLASS/*.jpg alone";

    private static readonly string[] TrainNames = ["train", "training"], ValidationNames = ["val", "valid", "validation", "dev"], TestNames = ["test", "testing"];

    private readonly DatasetInfo info;
    private readonly string root;
    private readonly string[] classes;
    private readonly List<Item> train, validation, test;
    private readonly List<string> notices = [];

    private ImageFolder(DatasetInfo info, string root, CancellationToken cancellation)
    {
        this.root = root;
        string? trainPath = Split(TrainNames), validationPath = Split(ValidationNames), testPath = Split(TestNames);
        bool isFlat = trainPath is null && validationPath is null && testPath is null;
        string classesPath = isFlat ? root : trainPath ?? validationPath ?? testPath!;
        classes = Classes(classesPath);
        if (classes.Length == 0)
        {
            throw new DataException($"{classesPath} has no class folders; put the images of each class into a folder of its own there.");
        }

        this.info = info with { ClassNames = classes };
        var left = new LeftOut();
        train = isFlat ? List(root, left, cancellation) : List(trainPath, left, cancellation);
        (validation, test) = (List(validationPath, left, cancellation), List(testPath, left, cancellation));
        if (left.Sentence(root) is { } sentence)
        {
            notices.Add(sentence);
        }

        HasTrain = train.Count > 0;
        if (HasTrain && validation.Count == 0)
        {
            HoldOut(isFlat);
        }
    }

    private bool HasTrain { get; }

    /// <summary>Finds the images of a folder; none is opened yet.</summary>
    /// <exception cref="DataException">The folder is missing, or not laid out as it should be.</exception>
    public static ImageFolder Find(DatasetInfo info, string? root, CancellationToken cancellation)
    {
        if (root is null)
        {
            throw new DataException($"An image folder has no download, but is yours: {Layout}.") { Problem = DataProblem.NoDownload };
        }

        if (!Directory.Exists(root))
        {
            throw new DataException($"{root} does not exist or is no folder; give the folder of your images: {Layout}.");
        }

        return DataFile.Guard(root, () =>
        {
            try
            {
                return new ImageFolder(info, root, cancellation);
            }
            catch (UnauthorizedAccessException e)
            {
                throw new DataException($"{root} holds a folder that may not be read; check its permissions ({DataFile.OneLine(e)}).", e);
            }
        });
    }

    /// <summary>The training images.</summary>
    public Dataset OpenTrain(IProgress<DownloadProgress>? progress, bool skipDamaged, CancellationToken cancellation)
    {
        RequireTrain();
        return Open([train], progress, skipDamaged, cancellation)[0]!;
    }

    /// <summary>The test images or, where there are none, the validation images.</summary>
    public Dataset OpenHeldOut(IProgress<DownloadProgress>? progress, bool skipDamaged, CancellationToken cancellation)
    {
        List<Item> items = test.Count > 0 ? test : validation;
        return items.Count > 0
            ? Open([items], progress, skipDamaged, cancellation)[0]!
            : throw new DataException($"{root} has no folder val or test; {Layout}.");
    }

    /// <summary>All of them.</summary>
    public DatasetSplits OpenSplits(IProgress<DownloadProgress>? progress, bool skipDamaged, CancellationToken cancellation)
    {
        RequireTrain();
        Dataset?[] sets = Open([train, validation, test], progress, skipDamaged, cancellation);
        return sets[1] is null && sets[2] is null
            ? throw new DataException($"{root} has too few images to hold any out for validation; add images, or a folder val.")
            : new DatasetSplits(sets[0]!, sets[1], sets[2], notices);
    }

    private void RequireTrain()
    {
        if (!HasTrain)
        {
            throw new DataException($"{root} has no folder train; {Layout}.");
        }
    }

    // The folder of a split, whatever the case of its name.
    private string? Split(string[] names)
    {
        string[] found = [.. Directory.EnumerateDirectories(root).Where(path => names.Contains(Path.GetFileName(path), StringComparer.OrdinalIgnoreCase))];
        return found.Length <= 1 ? found.FirstOrDefault() : throw new DataException(
            $"{root} holds {string.Join(" and ", found.Select(Path.GetFileName).Order(StringComparer.Ordinal))}, which mean the same; leave one.");
    }

    private List<Item> List(string? path, LeftOut left, CancellationToken cancellation)
    {
        var items = new List<Item>();
        if (path is null)
        {
            return items;
        }

        string[] here = Classes(path);
        if (here.Except(classes, StringComparer.Ordinal).FirstOrDefault() is { } unknown)
        {
            throw new DataException($"{Path.Combine(path, unknown)} is a class that the training images lack (they have {string.Join(", ", classes.Take(10))}{(classes.Length > 10 ? ", ..." : "")}); remove or rename it, or add its training images.");
        }

        var empty = new List<string>();
        foreach (string name in here)
        {
            FolderContent content = FolderContent.Read(Path.Combine(path, name), isClass: true, cancellation);
            left.Add(content);
            if (content.Images.Count == 0)
            {
                empty.Add(Path.Combine(path, name));
            }

            int label = Array.BinarySearch(classes, name, StringComparer.Ordinal);
            items.AddRange(content.Images.Select(image => new Item(image, label)));
        }

        if (empty.Count > 0)
        {
            throw new DataException(
                $"{string.Join(", ", empty)} {(empty.Count == 1 ? "holds" : "hold")} no image ({string.Join(", ", ImageFormats.Endings)}); add images of this class, or remove the folder.");
        }

        left.AddBeside(path, here.Length);
        return items.Count > 0 ? items : throw new DataException($"{path} has no class folders; put the images of each class into a folder of its own there.");
    }

    private static string[] Classes(string path)
    {
        string[] names = [.. Directory.EnumerateDirectories(path).Select(folder => Path.GetFileName(folder)!).Where(name => name[0] != '.')];
        Array.Sort(names, StringComparer.Ordinal);
        return names;
    }

    private void HoldOut(bool isFlat)
    {
        int all = train.Count;
        foreach (IGrouping<int, Item> group in train.GroupBy(item => item.Label).ToArray())
        {
            Item[] items = [.. group];
            int count = items.Length < 2 ? 0 : Math.Max(1, (items.Length + 5) / 10);
            validation.AddRange(EpochOrder.Shuffled(items.Length, seed: 0, epoch: group.Key).Take(count).Order().Select(i => items[i]));
        }

        train.RemoveAll(validation.ToHashSet().Contains);
        notices.Add($"{root} has no {(isFlat ? "folders train and val" : "folder val")}: {validation.Count:N0} of {all:N0} images, a tenth of each class, are held out to choose the best epoch by.");
    }

    // One check over all that is opened, so that all damaged files are named at once.
    private Dataset?[] Open(List<Item>[] splits, IProgress<DownloadProgress>? progress, bool skipDamaged, CancellationToken cancellation)
    {
        Item[] all = [.. splits.SelectMany(items => items)];
        SortedDictionary<int, DataException> problems = ImageCheck.Problems([.. all.Select(item => item.Path)], root, progress, cancellation);
        ILookup<bool, DataException> hollow = problems.Values.ToLookup(problem => problem.HoldsNoImage);
        DataException[] empty = [.. hollow[true]], damaged = [.. hollow[false]];
        if (damaged.Length > 0 && !skipDamaged)
        {
            throw new DataException(
                $"{damaged.Length:N0} of {all.Length:N0} images in {root} can't be read; replace or remove {(damaged.Length == 1 ? "it" : "them")}.",
                [.. damaged.Select(problem => problem.Message)])
            { Problem = DataProblem.DamagedImages };
        }

        if (empty.Length > 0)
        {
            string first = all[problems.First(problem => problem.Value == empty[0]).Key].Path;
            notices.Add($"{empty.Length:N0} of {all.Length:N0} files in {root} are named as images, but hold none, and are left out; the first is {first}.");
        }

        if (damaged.Length > 0)
        {
            notices.Add($"{damaged.Length:N0} of {all.Length:N0} images in {root} can't be read and are left out, the first because {damaged[0].Message.TrimEnd('.')}.");
        }

        HashSet<Item> unread = [.. problems.Keys.Select(i => all[i])];
        return [.. splits.Select(items => ToDataset(items, unread))];
    }

    private Dataset? ToDataset(List<Item> items, HashSet<Item> unread)
    {
        Item[] readable = [.. items.Where(item => !unread.Contains(item))];
        int[] lost = [.. items.Select(item => item.Label).Except(readable.Select(item => item.Label))];
        if (ReferenceEquals(items, train) && lost.Length > 0)
        {
            throw new DataException($"No image of {string.Join(", ", lost.Select(label => classes[label]))} in {root} can be read; replace them, or remove the class.");
        }

        return readable.Length == 0 ? null : Dataset.FromFiles(
            info with { TrainCount = ReferenceEquals(items, train) ? readable.Length : 0, TestCount = ReferenceEquals(items, train) ? 0 : readable.Length },
            [.. readable.Select(item => item.Path)], [.. readable.Select(item => item.Label)]);
    }

    private sealed record Item(string Path, int Label);

    /// <summary>Counts what is no image of a class.</summary>
    private sealed class LeftOut
    {
        private int others, hidden, repeated;

        public void Add(FolderContent content)
        {
            others += content.Others;
            hidden += content.Hidden;
            repeated += content.Repeated;
        }

        public void AddBeside(string split, int classes)
        {
            string[] names = [.. Directory.EnumerateFileSystemEntries(split).Select(entry => Path.GetFileName(entry))];
            hidden += names.Count(name => name[0] == '.');
            others += names.Count(name => name[0] != '.') - classes;
        }

        public string? Sentence(string root)
        {
            string[] parts =
            [
                .. Part(others, "file that is no image of a class", "files that are no images of a class"),
                .. Part(hidden, "hidden file or folder", "hidden files and folders"),
                .. Part(repeated, "link to a folder that was read already", "links to folders that were read already"),
            ];
            return parts.Length == 0 ? null : $"Left out of {root}: {string.Join(", ", parts)}.";
        }

        private static string[] Part(int count, string one, string many) => count == 0 ? [] : [$"{count:N0} {(count == 1 ? one : many)}"];
    }
}
