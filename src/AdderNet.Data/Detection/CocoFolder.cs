using System.Text.Json;

namespace AdderNet.Data.Detection;

/// <summary>
/// COCO's JSON files: annotations/instances_train*.json and instances_val*.json beside folders of images such as train2017, or
/// train/_annotations.coco.json within them.
/// </summary>
internal static class CocoFolder
{
    private const string Layout =
        "it should hold annotations/instances_train*.json and instances_val*.json beside the folders of images, or "
        + "train/_annotations.coco.json and valid/_annotations.coco.json among them";

    private static readonly string[][] Splits = [["train"], ["val", "valid", "validation"], ["test"]];

    /// <summary>Reads all labels, and checks them and the images.</summary>
    /// <exception cref="DataException">The folder is not laid out so, or labels or images are wrong.</exception>
    public static DetectionSplits Open(DatasetInfo info, string root, IProgress<DownloadProgress>? progress, bool skip, CancellationToken cancellation)
    {
        if (!Directory.Exists(root))
        {
            throw new DataException($"{root} does not exist or is no folder; give a folder as COCO's: {Layout}.");
        }

        string?[] files = [.. Splits.Select(names => DataFile.Guard(root, () => Find(root, names)))];
        if (files[0] is null || (files[1] ?? files[2]) is null)
        {
            throw new DataException($"{root} has no labels {(files[0] is null ? "for training" : "to measure with")}: {Layout}.");
        }

        LabelProblems problems = new(root);
        CocoFile?[] read = [.. files.Select(file => file is null ? null : CocoFile.Read(root, file, problems, cancellation))];
        return LabelFiles.Check(info, root, [.. read.Select(r => r?.Images)], read[0]!.ClassNames, problems, progress, skip, cancellation);
    }

    private static string? Find(string root, string[] names)
    {
        string[] beside = [.. names.Select(name => Path.Combine(root, name, "_annotations.coco.json")).Where(File.Exists)];
        string folder = Path.Combine(root, "annotations");
        string[] found = beside.Length > 0 || !Directory.Exists(folder) ? beside
            : [.. Directory.GetFiles(folder, "*.json").Where(f => IsOf(Path.GetFileNameWithoutExtension(f), names[0]))];
        if (found.Length > 1)
        {
            string all = string.Join(", ", found.Order(StringComparer.Ordinal).Select(f => Path.GetFileName(f)));
            throw new DataException($"{root} has several files of labels for {names[0]}: {all}; leave one.");
        }

        return found.FirstOrDefault();
    }

    // instances_train2017 and train, but neither captions_train2017 nor person_keypoints_train2017.
    private static bool IsOf(string name, string split)
    {
        string plain = name.StartsWith("instances_", StringComparison.Ordinal) ? name["instances_".Length..] : name;
        return plain.StartsWith(split, StringComparison.Ordinal) && !plain.Contains('_', StringComparison.Ordinal);
    }
}

/// <summary>A file of labels in COCO's JSON.</summary>
/// <param name="ClassNames">The names of its categories, in the order of their numbers.</param>
/// <param name="Images">The images it names.</param>
internal sealed record CocoFile(IReadOnlyList<string> ClassNames, IReadOnlyList<FileImage> Images)
{
    public static CocoFile Read(string root, string file, LabelProblems problems, CancellationToken cancellation)
    {
        byte[] bytes = DataFile.Guard(file, () => File.ReadAllBytes(file));
        try
        {
            return new Reader(root, file, bytes, problems, cancellation).Read();
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException or FormatException)
        {
            string place = e is JsonException { LineNumber: { } line } ? $"{file} line {line + 1}" : file;
            throw new DataException(
                $"{place} is no JSON of COCO's; it should be an object with the lists images, annotations and categories.", e);
        }
    }

    private sealed class Reader(string root, string file, byte[] bytes, LabelProblems problems, CancellationToken cancellation)
    {
        private static readonly JsonReaderOptions Lenient =
            new() { AllowTrailingCommas = true, CommentHandling = JsonCommentHandling.Skip };

        private readonly Dictionary<long, (string Name, int Width, int Height, LabelPlace Place)> images = [];
        private readonly SortedDictionary<long, string> categories = [];
        private readonly List<(long Image, long Category, Box Box, float? Area, bool Crowd, string Shown, LabelPlace Place)> boxes = [];

        // Lines are counted along, once for the whole file.
        private int counted, line = 1;

        public CocoFile Read()
        {
            var json = new Utf8JsonReader(bytes, Lenient);
            Expect(json.Read() && json.TokenType == JsonTokenType.StartObject);
            while (json.Read() && json.TokenType == JsonTokenType.PropertyName)
            {
                string list = json.GetString()!;
                Expect(json.Read());
                if (list is not ("images" or "annotations" or "categories"))
                {
                    json.Skip();
                    continue;
                }

                Expect(json.TokenType == JsonTokenType.StartArray);
                while (json.Read() && json.TokenType != JsonTokenType.EndArray)
                {
                    cancellation.ThrowIfCancellationRequested();
                    LabelPlace place = Place((int)json.TokenStartIndex);
                    using JsonDocument item = JsonDocument.ParseValue(ref json);
                    Add(list, item.RootElement, place);
                }
            }

            return Together();
        }

        private void Add(string list, JsonElement item, LabelPlace place)
        {
            if (item.ValueKind != JsonValueKind.Object)
            {
                problems.Add($"{place}: an entry of {list} is no object; correct or remove it.");
                return;
            }

            switch (list)
            {
                case "images" when Long(item, "id") is { } id && Text(item, "file_name") is { } name:
                    images[id] = (name, (int)(Long(item, "width") ?? 0), (int)(Long(item, "height") ?? 0), place);
                    break;
                case "categories" when Long(item, "id") is { } id && Text(item, "name") is { } name:
                    categories[id] = name;
                    break;
                case "annotations" when Long(item, "image_id") is { } image && Long(item, "category_id") is { } category
                    && Numbers(item) is [float x, float y, float w, float h]:
                    string shown = FormattableString.Invariant($"[{x}, {y}, {w}, {h}]");
                    bool crowd = Long(item, "iscrowd") == 1;
                    boxes.Add((image, category, new Box(x, y, x + w, y + h), Float(item, "area"), crowd, shown, place));
                    break;
                default:
                    string needs = list switch
                    {
                        "images" => "id and file_name",
                        "categories" => "id and name",
                        _ => "image_id, category_id and bbox of four numbers",
                    };
                    problems.Add($"{place}: an entry of {list} lacks what it needs, {needs}; correct or remove it.");
                    break;
            }
        }

        private CocoFile Together()
        {
            string[] folders = Folders();
            foreach (var box in boxes.Where(b => !images.ContainsKey(b.Image)))
            {
                problems.Add($"{box.Place}: a box is of image {box.Image}, which is not in the file; correct or remove it.");
            }

            var byImage = boxes.ToLookup(b => b.Image);
            List<FileImage> found = [];
            foreach (var (id, (name, width, height, place)) in images)
            {
                if (Find(folders, name) is not { } path)
                {
                    problems.Add(
                        $"{place} names {LabelFiles.Shown(name)}, which is in none of {string.Join(", ", folders)}; get it, or remove the "
                        + "image from the labels.");
                    continue;
                }

                found.Add(new FileImage(path, width, height, [.. byImage[id].Select(b => new FileBox(
                    categories.GetValueOrDefault(b.Category, $"category {b.Category}"), b.Box, b.Shown, b.Place)
                {
                    Area = b.Area,
                    IsCrowd = b.Crowd,
                })]));
            }

            return categories.Count > 0
                ? new CocoFile([.. categories.Values.Distinct()], found)
                : throw new DataException($"{file} has no list of categories; get the file again.");
        }

        private string[] Folders()
        {
            string split = Path.GetFileNameWithoutExtension(file);
            split = split.StartsWith("instances_", StringComparison.Ordinal) ? split["instances_".Length..] : split;
            string plain = split.TrimEnd([.. "0123456789"]);
            string[] places =
            [
                Path.Combine(root, split), Path.Combine(root, "images", split),
                Path.Combine(root, plain), Path.Combine(root, "images", plain),
                Path.Combine(root, "images"), Path.GetDirectoryName(file)!, root,
            ];
            return [.. places.Where(Directory.Exists).Distinct()];
        }

        // A name may go down into folders, but not out of the data set's.
        private static string? Find(string[] folders, string name) =>
            name.Contains("..", StringComparison.Ordinal) || Path.IsPathRooted(name)
                ? null
                : folders.Select(f => Path.Combine(f, name)).FirstOrDefault(File.Exists);

        // Of a later place than the last one.
        private LabelPlace Place(int at)
        {
            line += bytes.AsSpan(counted..at).Count((byte)'\n');
            counted = at;
            return new LabelPlace(file, line);
        }

        private static void Expect(bool holds)
        {
            if (!holds)
            {
                throw new JsonException();
            }
        }

        private static string? Text(JsonElement item, string name) =>
            item.TryGetProperty(name, out JsonElement value) && value.ValueKind == JsonValueKind.String ? value.GetString() : null;

        private static long? Long(JsonElement item, string name) =>
            Number(item, name) is { } value && value.TryGetDouble(out double number) && number == Math.Floor(number)
            && Math.Abs(number) < 1L << 53 ? (long)number : null;

        private static float? Float(JsonElement item, string name) =>
            Number(item, name) is { } value && value.TryGetSingle(out float number) ? number : null;

        private static JsonElement? Number(JsonElement item, string name) =>
            item.TryGetProperty(name, out JsonElement value) && value.ValueKind == JsonValueKind.Number ? value : null;

        private static float[] Numbers(JsonElement item) =>
            item.TryGetProperty("bbox", out JsonElement box) && box.ValueKind == JsonValueKind.Array
            && box.EnumerateArray().All(v => v.ValueKind == JsonValueKind.Number)
                ? [.. box.EnumerateArray().Select(v => v.GetSingle())]
                : [];
    }
}
