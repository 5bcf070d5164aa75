using System.Globalization;
using System.Text.Json;
using System.Xml.Linq;
using AdderNet.Checkpoints;

namespace AdderNet.Data.Detection;

/// <summary>Writes data sets of boxes in the layouts that others read, and this project, too.</summary>
internal static class DetectionFiles
{
    private static readonly (string Name, Func<DetectionSplits, DetectionDataset?> Of)[] Splits =
        [("train", s => s.Train), ("val", s => s.Validation), ("test", s => s.Test)];

    /// <summary>Writes a Pascal VOC folder, whole or not at all; the images are PNG files. It has no word for crowds.</summary>
    /// <param name="splits">What to write.</param>
    /// <param name="folder">The folder; it must be empty, or not be there.</param>
    /// <exception cref="DataException">The folder holds something, or can't be written.</exception>
    public static void WriteVoc(DetectionSplits splits, string folder) => Write(folder, made =>
    {
        string labels = Directory.CreateDirectory(Path.Combine(made, "Annotations")).FullName;
        string lists = Directory.CreateDirectory(Path.Combine(made, "ImageSets", "Main")).FullName;
        foreach (var (split, set) in Given(splits))
        {
            List<string> names = [];
            for (int i = 0; i < set.Count; i++)
            {
                string name = string.Create(CultureInfo.InvariantCulture, $"{split}_{i + 1:000000}");
                SaveImage(set.Read(i), Path.Combine(made, "JPEGImages", $"{name}.png"));
                Annotation(set, set.Images[i], $"{name}.png").Save(Path.Combine(labels, $"{name}.xml"));
                names.Add(name);
            }

            File.WriteAllLines(Path.Combine(lists, $"{split}.txt"), names);
        }
    });

    /// <summary>
    /// Writes a folder as COCO's, whole or not at all: annotations/instances_SPLIT.json beside a folder of PNG files a split. It has no
    /// word for difficult objects.
    /// </summary>
    /// <inheritdoc cref="WriteVoc"/>
    public static void WriteCoco(DetectionSplits splits, string folder) => Write(folder, made =>
    {
        string labels = Directory.CreateDirectory(Path.Combine(made, "annotations")).FullName;
        foreach (var (split, set) in Given(splits))
        {
            int boxes = 0;
            List<object> images = [], annotations = [];
            for (int i = 0; i < set.Count; i++)
            {
                string name = string.Create(CultureInfo.InvariantCulture, $"{i + 1:000000}.png");
                LabelledImage image = set.Images[i];
                SaveImage(set.Read(i), Path.Combine(made, split, name));
                images.Add(new { id = i + 1, file_name = name, width = image.Width, height = image.Height });
                annotations.AddRange(image.Objects.Select(o => new
                {
                    id = ++boxes,
                    image_id = i + 1,
                    category_id = o.Class + 1,
                    bbox = (float[])[o.Box.X0, o.Box.Y0, o.Box.Width, o.Box.Height],
                    area = o.Area,
                    iscrowd = o.IsCrowd ? 1 : 0,
                }));
            }

            object categories = set.ClassNames.Select((name, i) => new { id = i + 1, name }).ToArray();
            File.WriteAllBytes(
                Path.Combine(labels, $"instances_{split}.json"),
                JsonSerializer.SerializeToUtf8Bytes(new { images, annotations, categories }));
        }
    });

    private static IEnumerable<(string Name, DetectionDataset Set)> Given(DetectionSplits splits) =>
        Splits.Select(s => (s.Name, Set: s.Of(splits))).Where(s => s.Set is not null).Select(s => (s.Name, s.Set!));

    private static XElement Annotation(DetectionDataset set, LabelledImage image, string file) => new(
        "annotation",
        new XElement("folder", "JPEGImages"),
        new XElement("filename", file),
        new XElement(
            "size", new XElement("width", image.Width), new XElement("height", image.Height), new XElement("depth", set.Info.Channels)),
        image.Objects.Select(o => new XElement(
            "object",
            new XElement("name", set.ClassNames[o.Class]),
            new XElement("difficult", o.IsDifficult ? 1 : 0),
            new XElement(
                "bndbox",
                new XElement("xmin", o.Box.X0 + 1),
                new XElement("ymin", o.Box.Y0 + 1),
                new XElement("xmax", o.Box.X1),
                new XElement("ymax", o.Box.Y1)))));

    /// <summary>Has a folder beside filled, which then becomes the folder: what fails on the way leaves nothing behind.</summary>
    private static void Write(string folder, Action<string> fill)
    {
        ArgumentException.ThrowIfNullOrEmpty(folder);
        if (Path.Exists(folder) && (File.Exists(folder) || Directory.EnumerateFileSystemEntries(folder).Any()))
        {
            throw new DataException($"{folder} is there already; choose a new folder.");
        }

        try
        {
            AtomicFolder.Write(folder, fill);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new DataException($"{folder} can't be written: {DataFile.OneLine(e)}", e);
        }
    }

    private static void SaveImage(RawImage image, string path)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        File.WriteAllBytes(path, ImageWriter.Png(image));
    }
}
