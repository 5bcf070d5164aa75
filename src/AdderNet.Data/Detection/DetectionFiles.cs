using System.Globalization;
using System.Text.Json;
using System.Xml.Linq;
using AdderNet.Checkpoints;

namespace AdderNet.Data.Detection;

/// <summary>Writes data sets of boxes in the layouts that others read, and this project, too.</summary>
public static class DetectionFiles
{
    private static readonly (string Name, Func<DetectionSplits, DetectionDataset?> Of)[] Splits =
        [("train", s => s.Train), ("val", s => s.Validation), ("test", s => s.Test)];

    /// <summary>Writes a Pascal VOC folder; the images are PNG files.</summary>
    /// <param name="splits">What to write.</param>
    /// <param name="folder">The folder; it must be empty, or not be there.</param>
    /// <exception cref="DataException">The folder holds something, or can't be written.</exception>
    public static void WriteVoc(DetectionSplits splits, string folder) => Write(splits, folder, () =>
    {
        foreach (var (split, set) in Given(splits))
        {
            List<string> names = [];
            for (int i = 0; i < set.Count; i++)
            {
                string name = string.Create(CultureInfo.InvariantCulture, $"{split}_{i + 1:000000}");
                LabelledImage image = set.Images[i];
                SaveImage(set.Read(i), Path.Combine(folder, "JPEGImages", $"{name}.png"));
                AtomicFile.Write(Path.Combine(Directory.CreateDirectory(Path.Combine(folder, "Annotations")).FullName, $"{name}.xml"), stream => new XElement(
                    "annotation", new XElement("folder", "JPEGImages"), new XElement("filename", $"{name}.png"),
                    new XElement("size", new XElement("width", image.Width), new XElement("height", image.Height), new XElement("depth", set.Info.Channels)),
                    image.Objects.Select(o => new XElement(
                        "object", new XElement("name", set.ClassNames[o.Class]), new XElement("difficult", o.IsIgnored ? 1 : 0), new XElement(
                            "bndbox", new XElement("xmin", o.Box.X0 + 1), new XElement("ymin", o.Box.Y0 + 1), new XElement("xmax", o.Box.X1), new XElement("ymax", o.Box.Y1))))).Save(stream));
                names.Add(name);
            }

            string lists = Directory.CreateDirectory(Path.Combine(folder, "ImageSets", "Main")).FullName;
            AtomicFile.Write(Path.Combine(lists, $"{split}.txt"), stream => stream.Write(System.Text.Encoding.UTF8.GetBytes(string.Join('\n', names) + "\n")));
        }
    });

    /// <summary>Writes a folder as COCO's: annotations/instances_SPLIT.json beside a folder of PNG files a split.</summary>
    /// <inheritdoc cref="WriteVoc"/>
    public static void WriteCoco(DetectionSplits splits, string folder) => Write(splits, folder, () =>
    {
        foreach (var (split, set) in Given(splits))
        {
            int boxes = 0;
            List<object> images = [], annotations = [];
            for (int i = 0; i < set.Count; i++)
            {
                string name = string.Create(CultureInfo.InvariantCulture, $"{i + 1:000000}.png");
                LabelledImage image = set.Images[i];
                SaveImage(set.Read(i), Path.Combine(folder, split, name));
                images.Add(new { id = i + 1, file_name = name, width = image.Width, height = image.Height });
                annotations.AddRange(image.Objects.Select(o => new
                {
                    id = ++boxes,
                    image_id = i + 1,
                    category_id = o.Class + 1,
                    bbox = (float[])[o.Box.X0, o.Box.Y0, o.Box.Width, o.Box.Height],
                    area = o.Area,
                    iscrowd = o.IsIgnored ? 1 : 0,
                }));
            }

            object categories = set.ClassNames.Select((name, i) => new { id = i + 1, name }).ToArray();
            string path = Path.Combine(Directory.CreateDirectory(Path.Combine(folder, "annotations")).FullName, $"instances_{split}.json");
            AtomicFile.Write(path, stream => JsonSerializer.Serialize(stream, new { images, annotations, categories }));
        }
    });

    private static IEnumerable<(string Name, DetectionDataset Set)> Given(DetectionSplits splits) =>
        Splits.Select(s => (s.Name, Set: s.Of(splits))).Where(s => s.Set is not null).Select(s => (s.Name, s.Set!));

    private static void Write(DetectionSplits splits, string folder, Action write)
    {
        ArgumentNullException.ThrowIfNull(splits);
        ArgumentException.ThrowIfNullOrEmpty(folder);
        if (Path.Exists(folder) && (File.Exists(folder) || Directory.EnumerateFileSystemEntries(folder).Any()))
        {
            throw new DataException($"{folder} is there already; choose a new folder.");
        }

        try
        {
            write();
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or CheckpointException)
        {
            throw new DataException($"{folder} can't be written: {DataFile.OneLine(e)}", e);
        }
    }

    private static void SaveImage(RawImage image, string path)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        byte[] png = ImageWriter.Png(image);
        File.WriteAllBytes(path, png);
    }
}
