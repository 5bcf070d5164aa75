namespace AdderNet.Data.Detection;

/// <summary>A box as a file of labels has it.</summary>
/// <param name="ClassName">The name of its class.</param>
/// <param name="Box">Where it lies.</param>
/// <param name="Shown">Its numbers as the file has them, for messages.</param>
/// <param name="Place">Where the file has it, for messages.</param>
internal sealed record FileBox(string ClassName, Box Box, string Shown, LabelPlace Place)
{
    public bool IsDifficult { get; init; }

    public bool IsCrowd { get; init; }

    public float? Area { get; init; }
}

/// <summary>A line of a file of labels, as messages call it; the sentence is made only where one is needed.</summary>
internal readonly record struct LabelPlace(string File, int Line)
{
    public override string ToString() => $"{File} line {Line}";
}

/// <summary>An image as a file of labels has it.</summary>
/// <param name="Path">The image's file.</param>
/// <param name="Width">Columns, as the label says; 0 where it does not.</param>
/// <param name="Height">Rows.</param>
/// <param name="Boxes">The boxes.</param>
internal sealed record FileImage(string Path, int Width, int Height, IReadOnlyList<FileBox> Boxes);

/// <summary>Collects what is wrong with labels, so that all of it can be told at once, before a training begins.</summary>
internal sealed class LabelProblems(string root)
{
    private const int MostShown = 20;

    private readonly List<string> sentences = [];

    public void Add(string sentence) => sentences.Add(sentence);

    /// <summary>Tells the problems in an exception or, where they are to be left out, in a notice.</summary>
    public void Settle(bool skip, List<string> notices)
    {
        if (sentences.Count == 0)
        {
            return;
        }

        if (skip)
        {
            notices.Add($"{sentences.Count:N0} label(s) in {root} can't be used and are left out, "
                + $"the first because {sentences[0].TrimEnd('.')}.");
            return;
        }

        string shown = sentences.Count > MostShown ? $", the first {MostShown} of them as told above" : "";
        throw new DataException(
            sentences.Count == 1 ? sentences[0] : $"{sentences.Count:N0} labels in {root} can't be used{shown}; correct them.",
            sentences.Count == 1 ? [] : [.. sentences.Take(MostShown)])
        {
            Problem = DataProblem.DamagedImages,
        };
    }
}

/// <summary>Makes data sets of what was read from files of labels.</summary>
internal static class LabelFiles
{
    // Programs that count pixels from 0 and those that count from 1 read each other's files: a pixel beyond the edge is cut off.
    private const float Tolerance = 1;

    /// <summary>Checks labels and images, and puts them together.</summary>
    /// <param name="info">What the data set is.</param>
    /// <param name="root">Its folder.</param>
    /// <param name="splits">The images for learning, validation and test; null for none.</param>
    /// <param name="classNames">The classes in order.</param>
    /// <param name="problems">What was found wrong so far.</param>
    /// <param name="progress">Hears of other processes that are waited for.</param>
    /// <param name="skip">Whether to leave out what is wrong.</param>
    /// <param name="cancellation">Stops.</param>
    public static DetectionSplits Check(
        DatasetInfo info, string root, IReadOnlyList<FileImage>?[] splits, IReadOnlyList<string> classNames,
        LabelProblems problems, IProgress<DownloadProgress>? progress, bool skip, CancellationToken cancellation)
    {
        List<string> notices = [];
        FileImage[] all = [.. splits.SelectMany(s => s ?? []).DistinctBy(i => i.Path)];
        SortedDictionary<int, DataException> damaged =
            ImageCheck.Problems([.. all.Select(i => i.Path)], root, progress, cancellation);
        var sizes = new (int Height, int Width)[all.Length];
        var faults = new DataException?[all.Length];
        Parallel.For(0, all.Length, new ParallelOptions { CancellationToken = cancellation }, i =>
        {
            try
            {
                faults[i] = damaged.GetValueOrDefault(i);
                sizes[i] = faults[i] is null ? ImageFile.ReadSize(all[i].Path) : default;
            }
            catch (DataException e)
            {
                faults[i] = e;
            }
        });
        foreach (DataException fault in faults.OfType<DataException>())
        {
            problems.Add(fault.Message);
        }

        Dictionary<string, (int Height, int Width)> found =
            all.Zip(sizes).Where(p => p.Second.Height > 0).ToDictionary(p => p.First.Path, p => p.Second);
        Dictionary<string, int> classes = classNames.Index().ToDictionary(c => c.Item, c => c.Index);
        DatasetInfo named = info with { ClassNames = classNames, Channels = 3, Height = 0, Width = 0 };
        DetectionDataset?[] sets = [.. splits.Select(s => s is null ? null : ToDataset(named, s, found, classes, problems))];
        problems.Settle(skip, notices);
        if (sets[0] is { Count: > 0 and var count } learned && learned.Images.All(i => i.Objects.Count == 0))
        {
            throw new DataException(
                $"{root} has no object in its {count:N0} training image(s), so that there is nothing to learn; "
                + "add labels, or correct the list of images.");
        }

        return sets[0] is { Count: > 0 } train && (sets[1] ?? sets[2]) is { Count: > 0 }
            ? new DetectionSplits(train, sets[1], sets[2], notices)
            : throw new DataException(
                $"{root} has no image that can be used {(sets[0] is { Count: > 0 } ? "to measure with" : "for training")}; "
                + "get the data again.");
    }

    private static DetectionDataset ToDataset(
        DatasetInfo info, IReadOnlyList<FileImage> images, Dictionary<string, (int Height, int Width)> sizes,
        Dictionary<string, int> classes, LabelProblems problems)
    {
        LabelledImage[] labelled =
        [
            .. images.Where(i => sizes.ContainsKey(i.Path)).Select(i => Checked(i, sizes[i.Path], classes, problems))
                .OfType<LabelledImage>(),
        ];
        return new DetectionDataset(info, labelled, (i, buffers) => ImageFile.Read(labelled[i].Name, buffers));
    }

    // Boxes of an image of another size lie elsewhere in this one: none of them can be used.
    private static LabelledImage? Checked(
        FileImage image, (int Height, int Width) size, Dictionary<string, int> classes, LabelProblems problems)
    {
        (int height, int width) = size;
        if (image.Width > 0 && (image.Width, image.Height) != (width, height))
        {
            problems.Add(
                $"{image.Path} has {width}x{height} pixels, but its labels are of an image of {image.Width}x{image.Height}; "
                + "use the image that was labelled (not turned, not scaled).");
            return null;
        }

        IEnumerable<LabelledBox?> boxes = image.Boxes.Select(b => Checked(b, width, height, classes, problems));
        return new LabelledImage(image.Path, width, height, [.. boxes.OfType<LabelledBox>()]);
    }

    private static LabelledBox? Checked(FileBox box, int width, int height, Dictionary<string, int> classes, LabelProblems problems)
    {
        if (!classes.TryGetValue(box.ClassName, out int label))
        {
            string nearest = classes.Keys.MinBy(name => Levenshtein.Distance(name, box.ClassName)) ?? "";
            string meant = Levenshtein.Distance(nearest, box.ClassName) <= 2 ? $" (did you mean {nearest}?)" : "";
            problems.Add(
                $"{box.Place}: there is no class '{Shown(box.ClassName)}'{meant}; "
                + $"the classes are {string.Join(", ", classes.Keys.Take(30))}.");
            return null;
        }

        Box b = box.Box;
        string? fault = !float.IsFinite(b.X0 + b.Y0 + b.X1 + b.Y1) ? "has no numbers for its edges"
            : b.X1 < b.X0 || b.Y1 < b.Y0 ? "is reversed"
            : b.X1 == b.X0 || b.Y1 == b.Y0 ? "is empty"
            : b.X0 < -Tolerance || b.Y0 < -Tolerance || b.X1 > width + Tolerance || b.Y1 > height + Tolerance
                ? $"reaches out of the image of {width}x{height}"
            : b.Clip(width, height).Area <= 0 ? $"lies outside of the image of {width}x{height}"
            : null;
        if (fault is not null)
        {
            problems.Add($"{box.Place}: the box of '{box.ClassName}', {box.Shown}, {fault}; correct or remove it.");
            return null;
        }

        Box inside = b.Clip(width, height);
        return new LabelledBox(label, inside) { IsDifficult = box.IsDifficult, IsCrowd = box.IsCrowd, Area = box.Area ?? inside.Area };
    }

    /// <summary>A name out of a file, fit for a message: short and without control characters.</summary>
    internal static string Shown(string name) => string.Concat(name.Take(80).Select(c => char.IsControl(c) ? '?' : c));
}
