using System.Globalization;
using System.Xml;
using System.Xml.Linq;

namespace AdderNet.Data.Detection;

/// <summary>
/// Pascal VOC's folders: Annotations/NAME.xml, JPEGImages/NAME.jpg and ImageSets/Main/{train,val,trainval,test}.txt, in the folder itself or
/// in several below it, such as VOCdevkit/VOC2007 and VOCdevkit/VOC2012, whose lists are then put together.
/// </summary>
internal static class VocFolder
{
    private const string Layout = "it should hold Annotations/*.xml, JPEGImages/*.jpg and ImageSets/Main/train.txt with val.txt or test.txt, or folders that do";

    private static readonly string[] Endings = [".jpg", ".jpeg", ".png", ".JPG", ".JPEG", ".PNG"];

    /// <summary>Reads all labels, and checks them and the images.</summary>
    /// <exception cref="DataException">The folder is not laid out so, or labels or images are wrong.</exception>
    public static DetectionSplits Open(DatasetInfo info, string root, bool skip, CancellationToken cancellation)
    {
        string[] folders = [.. Folders(root).Where(IsVoc)];
        if (folders.Length == 0)
        {
            throw new DataException($"{root} is no Pascal VOC folder: {Layout}.");
        }

        LabelProblems problems = new(root);
        List<FileImage>? train = Read("train") ?? Read("trainval"), validation = Read("val"), test = Read("test");
        if (train is null || (validation ?? test) is null)
        {
            throw new DataException($"{Path.Combine(folders[0], "ImageSets", "Main")} has no list {(train is null ? "train.txt" : "val.txt or test.txt")}: {Layout}.");
        }

        // The names that training knows: Pascal VOC's own order is the alphabet's.
        string[] classes = [.. train.SelectMany(i => i.Boxes).Select(b => b.ClassName).Distinct().Order(StringComparer.Ordinal)];
        return LabelFiles.Check(info, root, [train, validation, test], classes, problems, skip, cancellation);

        List<FileImage>? Read(string split)
        {
            List<FileImage>? images = null;
            foreach (string folder in folders)
            {
                string list = Path.Combine(folder, "ImageSets", "Main", $"{split}.txt");
                if (File.Exists(list))
                {
                    (images ??= []).AddRange(ReadList(folder, list, problems, cancellation));
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

    private static List<FileImage> ReadList(string folder, string list, LabelProblems problems, CancellationToken cancellation)
    {
        List<FileImage> images = [];
        string[] lines = DataFile.Guard(list, () => File.ReadAllLines(list));
        foreach (var (i, line) in lines.Index())
        {
            cancellation.ThrowIfCancellationRequested();
            // A class's own lists have a second column.
            string name = line.Trim().Split(' ', '\t')[0];
            if (name.Length == 0)
            {
                continue;
            }

            string place = $"{list} line {i + 1}";
            if (name.AsSpan().IndexOfAny('/', '\\') >= 0 || name is "." or "..")
            {
                problems.Add($"{place}: '{LabelFiles.Shown(name)}' is no name of an image, but a path; write the name without folder and ending.");
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
        // What a file of labels can need, many times over.
        const int mostCharacters = 16 << 20;
        try
        {
            using FileStream stream = DataFile.Open(file);
            using XmlReader reader = XmlReader.Create(
                stream, new XmlReaderSettings { DtdProcessing = DtdProcessing.Prohibit, XmlResolver = null, MaxCharactersInDocument = mostCharacters });
            XElement root = XDocument.Load(reader, LoadOptions.SetLineInfo).Root!;
            return new FileImage(
                image, (int)(Number(root.Element("size")?.Element("width")) ?? 0), (int)(Number(root.Element("size")?.Element("height")) ?? 0),
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
        string place = $"{file} line {((IXmlLineInfo)(box ?? element)).LineNumber}", name = element.Element("name")?.Value.Trim() ?? "";
        float?[] edges = [Edge("xmin"), Edge("ymin"), Edge("xmax"), Edge("ymax")];
        if (name.Length == 0 || edges.Any(e => e is null))
        {
            problems.Add($"{place}: an object has {(name.Length == 0 ? "no name" : "no bndbox of the four numbers xmin, ymin, xmax and ymax")}; correct or remove it.");
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
        float.TryParse(element?.Value, NumberStyles.Float, CultureInfo.InvariantCulture, out float value) && float.IsFinite(value) ? value : null;
}
