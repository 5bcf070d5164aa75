using System.Globalization;
using System.Xml;
using System.Xml.Linq;

namespace AdderNet.Data.Detection;

/// <summary>
/// Pascal VOC's folders: Annotations/NAME.xml, JPEGImages/NAME.jpg and ImageSets/Main/{train,val,trainval,test}.txt, in the folder itself
/// or in several below it, such as VOCdevkit/VOC2007 and VOCdevkit/VOC2012, whose lists are then put together.
/// </summary>
internal static class VocFolder
{
    private const string Layout =
        "it should hold Annotations/*.xml, JPEGImages/*.jpg and ImageSets/Main/train.txt with val.txt or test.txt, or folders that do";

    // More characters than a file of labels can need, many times over.
    private static readonly XmlReaderSettings Settings =
        new() { DtdProcessing = DtdProcessing.Prohibit, XmlResolver = null, MaxCharactersInDocument = 16 << 20 };

    private static readonly string[] Endings = [".jpg", ".jpeg", ".png", ".JPG", ".JPEG", ".PNG"];

    /// <summary>Reads all labels, and checks them and the images.</summary>
    /// <exception cref="DataException">The folder is not laid out so, or labels or images are wrong.</exception>
    public static DetectionSplits Open(DatasetInfo info, string root, IProgress<DownloadProgress>? progress, bool skip, CancellationToken cancellation)
    {
        string[] folders = [.. Folders(root).Where(IsVoc)];
        if (folders.Length == 0)
        {
            throw new DataException($"{root} is no Pascal VOC folder: {Layout}.");
        }

        LabelProblems problems = new(root);
        List<FileImage>? train = Read("train"), validation = Read("val"), test = Read("test");
        if (train is null || (validation ?? test) is null)
        {
            string missing = train is null ? "train.txt" : "val.txt or test.txt";
            throw new DataException($"{Path.Combine(folders[0], "ImageSets", "Main")} has no list {missing}: {Layout}.");
        }

        // The names that training knows: Pascal VOC's own order is the alphabet's.
        string[] classes = [.. train.SelectMany(i => i.Boxes).Select(b => b.ClassName).Distinct().Order(StringComparer.Ordinal)];
        return LabelFiles.Check(info, root, [train, validation, test], classes, problems, progress, skip, cancellation);

        List<FileImage>? Read(string split)
        {
            List<FileImage>? images = null;
            foreach (string folder in folders)
            {
                string list = List(folder, split);
                HashSet<string> without = [];
                if (split == "train" && !File.Exists(list))
                {
                    // Images that choose the best epoch are none to learn from.
                    (list, without) = (List(folder, "trainval"), [.. Names(List(folder, "val")).Select(n => n.Name)]);
                }

                if (File.Exists(list))
                {
                    (images ??= []).AddRange(ReadList(folder, list, without, problems, cancellation));
                }
            }

            return images;
        }
    }

    private static string[] Folders(string root) => Directory.Exists(root)
        ? DataFile.Guard(root, () => (string[])[root, .. Below(root), .. Below(Path.Combine(root, "VOCdevkit"))])
        : throw new DataException($"{root} does not exist or is no folder; give a Pascal VOC folder: {Layout}.");

    private static string[] Below(string folder) =>
        Directory.Exists(folder) ? [.. Directory.GetDirectories(folder).Order(StringComparer.Ordinal)] : [];

    private static bool IsVoc(string folder) =>
        Directory.Exists(Path.Combine(folder, "Annotations")) && Directory.Exists(Path.Combine(folder, "ImageSets", "Main"));

    private static string List(string folder, string split) => Path.Combine(folder, "ImageSets", "Main", $"{split}.txt");

    /// <summary>The names that a list has, none where there is no such list.</summary>
    private static IEnumerable<(LabelPlace Place, string Name)> Names(string list) => !File.Exists(list)
        ? []
        // A class's own lists have a second column.
        : DataFile.Guard(list, () => File.ReadAllLines(list))
            .Select((line, i) => (Place: new LabelPlace(list, i + 1), Name: line.Trim().Split(' ', '\t')[0]))
            .Where(n => n.Name.Length > 0);

    private static List<FileImage> ReadList(
        string folder, string list, HashSet<string> without, LabelProblems problems, CancellationToken cancellation)
    {
        List<FileImage> images = [];
        foreach ((LabelPlace place, string name) in Names(list).Where(n => !without.Contains(n.Name)))
        {
            cancellation.ThrowIfCancellationRequested();
            if (name.AsSpan().IndexOfAny('/', '\\') >= 0 || name is "." or "..")
            {
                problems.Add(
                    $"{place}: '{LabelFiles.Shown(name)}' is no name of an image, but a path; write the name without folder and ending.");
                continue;
            }

            string label = Path.Combine(folder, "Annotations", $"{name}.xml");
            if (!File.Exists(label))
            {
                problems.Add($"{place} names '{LabelFiles.Shown(name)}', but there is no {label}; get it, or remove the line.");
                continue;
            }

            string image = Path.Combine(folder, "JPEGImages", name);
            if (Endings.Select(ending => image + ending).FirstOrDefault(File.Exists) is not { } path)
            {
                problems.Add($"{place} names '{LabelFiles.Shown(name)}', but there is no {image}.jpg or .png; get it, or remove the line.");
                continue;
            }

            if (ReadLabel(label, path, problems) is { } read)
            {
                images.Add(read);
            }
        }

        return images;
    }

    private static FileImage? ReadLabel(string file, string image, LabelProblems problems)
    {
        try
        {
            using FileStream stream = DataFile.Open(file);
            using XmlReader reader = XmlReader.Create(stream, Settings);
            XElement root = XDocument.Load(reader, LoadOptions.SetLineInfo).Root!;
            XElement? size = root.Element("size");
            return new FileImage(
                image, (int)(Number(size?.Element("width")) ?? 0), (int)(Number(size?.Element("height")) ?? 0),
                [.. root.Elements("object").Select(o => ReadObject(o, file, problems)).OfType<FileBox>()]);
        }
        catch (XmlException e)
        {
            problems.Add($"{file} line {Math.Max(1, e.LineNumber)} is no valid XML; correct it, or get the file again.");
            return null;
        }
    }

    private static FileBox? ReadObject(XElement element, string file, LabelProblems problems)
    {
        XElement? box = element.Element("bndbox");
        LabelPlace place = new(file, ((IXmlLineInfo)(box ?? element)).LineNumber);
        string name = element.Element("name")?.Value.Trim() ?? "";
        float?[] edges = [Edge("xmin"), Edge("ymin"), Edge("xmax"), Edge("ymax")];
        if (name.Length == 0 || edges.Any(e => e is null))
        {
            string lacks = name.Length == 0 ? "name" : "bndbox of the four numbers xmin, ymin, xmax and ymax";
            problems.Add($"{place}: an object has no {lacks}; correct or remove it.");
            return null;
        }

        float[] e = [.. edges.Select(v => v!.Value)];
        // The first pixel is number 1, and the last one of a box belongs to it; one that ends before it begins is reversed.
        return new FileBox(
            name, new Box(e[0] - 1, e[1] - 1, e[2] < e[0] ? e[2] - 1 : e[2], e[3] < e[1] ? e[3] - 1 : e[3]),
            FormattableString.Invariant($"xmin {e[0]}, ymin {e[1]}, xmax {e[2]}, ymax {e[3]}"), place)
        {
            IsDifficult = Number(element.Element("difficult")) is 1,
        };

        float? Edge(string edge) => Number(box?.Element(edge));
    }

    private static float? Number(XElement? element) =>
        float.TryParse(element?.Value, NumberStyles.Float, CultureInfo.InvariantCulture, out float value) && float.IsFinite(value)
            ? value
            : null;
}
