using AdderNet.Data.Detection;

namespace AdderNet.Data.Tests.Detection;

/// <summary>Pascal VOC's and COCO's files of labels.</summary>
public class LabelFileTests
{
    [Theory]
    [InlineData("voc")]
    [InlineData("coco")]
    public void Scenes_that_are_written_are_read_back_the_same(string format)
    {
        using TempFolder folder = new();
        DetectionSplits scenes = DigitScenes.Create(train: 12, validation: 3, test: 2);
        Write(format, scenes, folder["data"]);
        DetectionSplits read = Datasets.OpenDetection(format, folder["data"]);
        Assert.Empty(read.Notices);
        foreach (var (was, now) in new[] { (scenes.Train, read.Train), (scenes.Validation!, read.Validation!), (scenes.Test!, read.Test!) })
        {
            Assert.Equal(was.Count, now.Count);
            for (int i = 0; i < was.Count; i++)
            {
                Assert.Equal(
                    was.Images[i].Objects.Select(o => (was.ClassNames[o.Class], o.Box)),
                    now.Images[i].Objects.Select(o => (now.ClassNames[o.Class], o.Box)));
                Assert.Equal(was.Read(i).Pixels.ToArray(), now.Read(i).WithChannels(1).Pixels.ToArray());
            }
        }
    }

    [Fact]
    public void Scenes_follow_from_their_seed_and_their_boxes_are_around_the_digits()
    {
        DetectionDataset one = DigitScenes.Create(20, 1, 1, seed: 5).Train;
        DetectionDataset same = DigitScenes.Create(30, 1, 1, seed: 5).Train, other = DigitScenes.Create(20, 1, 1, seed: 6).Train;
        for (int i = 0; i < one.Count; i++)
        {
            Assert.Equal(one.Images[i].Objects, same.Images[i].Objects);
            Assert.True(one.Read(i).Pixels.Span.SequenceEqual(same.Read(i).Pixels.Span));
            Assert.NotEqual(one.Images[i].Objects, other.Images[i].Objects);
            AssertBright(one.Read(i), one.Images[i].Objects);
        }
    }

    [Fact]
    public void Difficult_objects_and_crowds_are_told_from_others()
    {
        using TempFolder folder = new();
        string voc = Voc(folder), label = Path.Combine(voc, "Annotations", "train_000001.xml");
        File.WriteAllText(label, Annotation("<object><name>7</name><difficult>1</difficult>"
            + "<bndbox><xmin>1</xmin><ymin>2</ymin><xmax>1</xmax><ymax>9.5</ymax></bndbox></object>"));
        LabelledBox box = Assert.Single(Datasets.OpenDetection("voc", voc).Train.Images[0].Objects);
        Assert.True(box is { IsDifficult: true, IsCrowd: false, IsIgnored: true });
        // Pixel 1 is the first, and a box ends after its last one: this one has one column.
        Assert.Equal(new Box(0, 1, 1, 9.5f), box.Box);

        string coco = Coco(folder), file = Path.Combine(coco, "annotations", "instances_train.json");
        File.WriteAllText(file, File.ReadAllText(file).Replace("\"iscrowd\":0", "\"iscrowd\":1", StringComparison.Ordinal));
        Assert.All(Datasets.OpenDetection("coco", coco).Train.Images.SelectMany(i => i.Objects),
            o => Assert.True(o is { IsCrowd: true, IsDifficult: false }));
    }

    [Fact]
    public void Boxes_of_an_image_of_another_size_are_not_learned_from()
    {
        using TempFolder folder = new();
        string voc = Voc(folder), label = Path.Combine(voc, "Annotations", "train_000002.xml");
        File.WriteAllText(label, File.ReadAllText(label).Replace("<width>128", "<width>256", StringComparison.Ordinal));
        Refused.Says(() => Datasets.OpenDetection("voc", voc), DataProblem.DamagedImages, "train_000002.png has 128x128", "256x128");
        DetectionSplits rest = Datasets.OpenDetection("voc", voc, skipDamaged: true);
        Assert.Equal(39, rest.Train.Count);
        Assert.DoesNotContain(rest.Train.Images, i => i.Name.EndsWith("train_000002.png", StringComparison.Ordinal));
        Assert.Equal("train_000003.png", Path.GetFileName(rest.Train.Images[1].Name));
        Assert.Contains("1 label(s)", Assert.Single(rest.Notices), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(SkiaSharp.SKEncodedImageFormat.Jpeg)]
    [InlineData(SkiaSharp.SKEncodedImageFormat.Png)]
    public void Boxes_of_an_image_that_is_reduced_while_it_is_read_are_in_the_labels_pixels(SkiaSharp.SKEncodedImageFormat format)
    {
        const int width = 5200, height = 3000, side = 128;
        using TempFolder folder = new();
        string voc = Voc(folder), image = Path.Combine(voc, "JPEGImages", "val_000001.png");
        Box box = new(2599, 299, 3900, 2100);
        using (SkiaSharp.SKBitmap large = new(width, height, SkiaSharp.SKColorType.Gray8, SkiaSharp.SKAlphaType.Opaque))
        {
            using SkiaSharp.SKCanvas canvas = new(large);
            using SkiaSharp.SKPaint white = new() { Color = SkiaSharp.SKColors.White };
            canvas.DrawRect(new SkiaSharp.SKRect(box.X0, box.Y0, box.X1, box.Y1), white);
            using SkiaSharp.SKData encoded = large.Encode(format, 90);
            File.WriteAllBytes(image, encoded.ToArray());
        }

        File.WriteAllText(
            Path.Combine(voc, "Annotations", "val_000001.xml"),
            $"<annotation><size><width>{width}</width><height>{height}</height></size><object><name>7</name>"
            + "<bndbox><xmin>2600</xmin><ymin>300</ymin><xmax>3900</xmax><ymax>2100</ymax></bndbox></object></annotation>");
        DetectionDataset data = Datasets.OpenDetection("voc", voc).Validation!;
        Assert.Equal((width, height, box), (data.Images[0].Width, data.Images[0].Height, data.Images[0].Objects[0].Box));
        RawImage read = data.Read(0);
        Assert.True(read.Width < width);
        Assert.Equal((width, height), (read.StoredWidth, read.StoredHeight));
        // Prepared, the box is where the white is.
        using DetectionLoader loader = new(data, new() { ScaleJitter = new(side) }, 1, shuffle: false, seed: 0, threads: 0);
        using DetectionBatch batch = loader.Epoch(1).First();
        Box seen = batch.Objects[0][0].Box;
        Assert.Equal(box.Width * side / width, seen.Width, 0.1f);
        float[] pixels = batch.Images.Images.ToArray();
        float inside = pixels.Chunk(3).Where((_, i) => IsIn(i % side, seen.X0, seen.X1) && IsIn(i / side, seen.Y0, seen.Y1)).Average(p => p[0]);
        Assert.True(inside > 0.95f, $"{inside}");
        Assert.Equal(box.Area * side * side / width / width, pixels.Sum() / 3, 30f);
        // Back from there, it is in the labels' pixels.
        Assert.Equal(box.X0, batch.Placements[0].Invert(seen).X0, 0.01f);

        static bool IsIn(int pixel, float from, float to) => pixel + .5f > from && pixel + .5f < to;
    }

    [Fact]
    public void Training_images_without_any_object_are_refused()
    {
        using TempFolder folder = new();
        string voc = Voc(folder);
        foreach (string label in Directory.GetFiles(Path.Combine(voc, "Annotations"), "train_*.xml"))
        {
            File.WriteAllText(label, Annotation(""));
        }

        File.WriteAllText(Path.Combine(voc, "Annotations", "val_000001.xml"), Annotation(""));
        File.WriteAllText(Path.Combine(voc, "Annotations", "val_000002.xml"), Annotation(""));
        File.WriteAllText(Path.Combine(voc, "Annotations", "test_000001.xml"), Annotation(""));
        Refused.Says(() => Datasets.OpenDetection("voc", voc), voc, "40 training image(s)", "nothing to learn");
    }

    [Fact]
    public void An_image_whose_header_is_damaged_is_told_and_can_be_left_out()
    {
        using TempFolder folder = new();
        string voc = Voc(folder), image = Path.Combine(voc, "JPEGImages", "train_000002.png");
        byte[] png = File.ReadAllBytes(image);
        // A colour of 77 bits; the file's beginning and end are those of a whole PNG.
        png[24] = 77;
        File.WriteAllBytes(image, png);
        Refused.Says(() => Datasets.OpenDetection("voc", voc), DataProblem.DamagedImages, image, "damaged PNG");
        Assert.Equal(39, Datasets.OpenDetection("voc", voc, skipDamaged: true).Train.Count);
    }

    [Fact]
    public void Of_trainval_only_what_val_leaves_is_learned_from()
    {
        using TempFolder folder = new();
        string voc = Voc(folder), lists = Path.Combine(voc, "ImageSets", "Main");
        string[] train = File.ReadAllLines(Path.Combine(lists, "train.txt"));
        string[] validation = File.ReadAllLines(Path.Combine(lists, "val.txt"));
        File.WriteAllLines(Path.Combine(lists, "trainval.txt"), [.. validation, .. train]);
        File.Delete(Path.Combine(lists, "train.txt"));
        DetectionSplits both = Datasets.OpenDetection("voc", voc);
        Assert.Equal(train, both.Train.Images.Select(i => Path.GetFileNameWithoutExtension(i.Name)));
        Assert.Equal(validation, both.Validation!.Images.Select(i => Path.GetFileNameWithoutExtension(i.Name)));
        File.Delete(Path.Combine(lists, "val.txt"));
        DetectionSplits one = Datasets.OpenDetection("voc", voc);
        Assert.Equal((42, null, 1), (one.Train.Count, one.Validation, one.Measured.Count));
    }

    [Theory]
    [InlineData("voc")]
    [InlineData("coco")]
    public void A_data_set_is_written_whole_or_not_at_all(string format)
    {
        using TempFolder folder = new();
        string path = Directory.CreateDirectory(folder["data"]).FullName;
        DetectionSplits scenes = DigitScenes.Create(train: 12, validation: 3, test: 2);
        DetectionDataset broken = new(
            scenes.Test!.Info, scenes.Test.Images, (i, _) => i == 0 ? scenes.Test.Read(0) : throw new IOException("The disk is gone."));
        Refused.Says(() => Write(format, scenes with { Test = broken }, path), path, "The disk is gone.");
        Assert.Empty(Directory.EnumerateFileSystemEntries(path));
        Assert.Equal([path], Directory.EnumerateFileSystemEntries(Path.GetDirectoryName(path)!));
        Write(format, scenes, path);
        Assert.Equal(12, Datasets.OpenDetection(format, path).Train.Count);
        Refused.Says(() => Write(format, scenes, path), "is there already");
    }

    [Theory]
    [InlineData("voc", true, false)]
    [InlineData("coco", false, true)]
    public void Difficult_objects_are_written_as_such_and_crowds_as_crowds(string format, bool difficult, bool crowd)
    {
        using TempFolder folder = new();
        DetectionSplits scenes = DigitScenes.Create(train: 12, validation: 1, test: 1);
        LabelledImage[] images = [.. scenes.Train.Images.Select(i => i with
        {
            Objects = [i.Objects[0] with { IsDifficult = true }, i.Objects[0] with { IsCrowd = true }, i.Objects[0]],
        })];
        DetectionDataset marked = new(scenes.Train.Info, images, (i, _) => scenes.Train.Read(i));
        Write(format, new DetectionSplits(marked, marked, null, []), folder["data"]);
        Assert.All(Datasets.OpenDetection(format, folder["data"]).Train.Images, i => Assert.Equal(
            [(difficult, false), (false, crowd), (false, false)], i.Objects.Select(o => (o.IsDifficult, o.IsCrowd))));
    }

    [Theory]
    [InlineData("50", "10", "40", "20", "'7', xmin 50, ymin 10, xmax 40, ymax 20, is reversed")]
    [InlineData("50", "10", "60", "400", "reaches out of the image of 128x128")]
    [InlineData("-9", "10", "60", "40", "reaches out of the image of 128x128")]
    [InlineData("x", "10", "60", "40", "no bndbox of the four numbers")]
    public void A_bad_box_of_Pascal_VOC_is_told_with_file_and_line(string xmin, string ymin, string xmax, string ymax, string says)
    {
        using TempFolder folder = new();
        string voc = Voc(folder), label = Path.Combine(voc, "Annotations", "train_000002.xml");
        string box = $"<bndbox><xmin>{xmin}</xmin><ymin>{ymin}</ymin><xmax>{xmax}</xmax><ymax>{ymax}</ymax></bndbox>";
        File.WriteAllText(label, Annotation($"\n\n<object><name>7</name>\n{box}</object>"));
        Refused.Says(() => Datasets.OpenDetection("voc", voc), DataProblem.DamagedImages, $"{label} line 4", says);
        DetectionSplits rest = Datasets.OpenDetection("voc", voc, skipDamaged: true);
        Assert.Contains("1 label(s)", Assert.Single(rest.Notices), StringComparison.Ordinal);
        Assert.Empty(rest.Train.Images[1].Objects);
    }

    [Theory]
    [InlineData("5,5,0,4", "is empty")]
    [InlineData("5,5,-3,4", "is reversed")]
    [InlineData("5,5,400,4", "reaches out of the image of 128x128")]
    public void A_bad_box_of_COCO_is_told_with_file_and_line(string numbers, string says)
    {
        using TempFolder folder = new();
        string coco = Coco(folder), file = Path.Combine(coco, "annotations", "instances_val.json"), text = File.ReadAllText(file);
        int at = text.IndexOf("{\"id\":1,\"image_id\"", StringComparison.Ordinal);
        File.WriteAllText(file, $"{text[..at]}\n\n{{\"image_id\":1,\"category_id\":3,\"bbox\":[{numbers}]}},{text[at..]}");
        Refused.Says(() => Datasets.OpenDetection("coco", coco), DataProblem.DamagedImages, $"{file} line 3", "the box of '2'", says);
    }

    [Fact]
    public void Whatever_else_is_wrong_with_labels_is_told_before_training()
    {
        using TempFolder folder = new();
        string voc = Voc(folder), list = Path.Combine(voc, "ImageSets", "Main", "val.txt"), names = File.ReadAllText(list);
        File.WriteAllText(list, $"{names}nobody\n");
        Refused.Says(() => Datasets.OpenDetection("voc", voc), DataProblem.DamagedImages, $"{list} line 3", "'nobody'", "Annotations");
        File.WriteAllText(list, $"../../x\n{names}");
        Refused.Says(() => Datasets.OpenDetection("voc", voc), DataProblem.DamagedImages, $"{list} line 1", "no name of an image");
        File.WriteAllText(list, names);
        string label = Path.Combine(voc, "Annotations", "val_000001.xml"), good = File.ReadAllText(label);
        File.WriteAllText(label, Annotation("<object><name>seven</name>"
            + "<bndbox><xmin>1</xmin><ymin>1</ymin><xmax>9</xmax><ymax>9</ymax></bndbox></object>"));
        Refused.Says(
            () => Datasets.OpenDetection("voc", voc), DataProblem.DamagedImages,
            $"{label} line 1", "no class 'seven'", "the classes are 0");
        File.WriteAllText(label, "<annotation><object>");
        Refused.Says(() => Datasets.OpenDetection("voc", voc), DataProblem.DamagedImages, $"{label} line 1", "XML");
        File.WriteAllText(label, "<!DOCTYPE a [<!ENTITY b \"c\">]><annotation>&b;</annotation>");
        Refused.Says(() => Datasets.OpenDetection("voc", voc), DataProblem.DamagedImages, $"{label} line 1", "XML");
        File.WriteAllText(label, good.Replace("<width>128", "<width>256", StringComparison.Ordinal));
        Refused.Says(() => Datasets.OpenDetection("voc", voc), DataProblem.DamagedImages, "val_000001.png has 128x128 pixels", "256x128");
        File.WriteAllText(label, good);
        string image = Path.Combine(voc, "JPEGImages", "val_000001.png");
        File.WriteAllBytes(image, File.ReadAllBytes(image)[..(int)(new FileInfo(image).Length / 2)]);
        Refused.Says(() => Datasets.OpenDetection("voc", voc), DataProblem.DamagedImages, image, "cut short");
        File.Delete(image);
        Refused.Says(() => Datasets.OpenDetection("voc", voc), DataProblem.DamagedImages, $"{list} line 1", "JPEGImages");
        Refused.Says(() => Datasets.OpenDetection("voc", folder["none"]), "does not exist");
        Refused.Says(() => Datasets.OpenDetection("voc", Directory.CreateDirectory(folder["empty"]).FullName), "is no Pascal VOC folder");

        string coco = Coco(folder), file = Path.Combine(coco, "annotations", "instances_train.json"), json = File.ReadAllText(file);
        File.WriteAllText(file, json[..^40]);
        Refused.Says(() => Datasets.OpenDetection("coco", coco), file, "no JSON of COCO's");
        File.WriteAllText(file, json.Replace("000001.png", "../../secret.png", StringComparison.Ordinal));
        Refused.Says(() => Datasets.OpenDetection("coco", coco), DataProblem.DamagedImages, $"{file} line 1", "secret.png");
        File.WriteAllText(file, json.Replace("\"image_id\":2,", "\"image_id\":99,", StringComparison.Ordinal));
        Assert.Contains("image 99", Messages(() => Datasets.OpenDetection("coco", coco)), StringComparison.Ordinal);
        File.WriteAllText(file, json.Replace("\"category_id\":", "\"category_id\":4", StringComparison.Ordinal));
        Assert.Contains("no class 'category 4", Messages(() => Datasets.OpenDetection("coco", coco)), StringComparison.Ordinal);
        Refused.Says(() => Datasets.OpenDetection("mnist"), "has no boxes", "digits, voc, coco");
        Refused.Says(() => Datasets.Open("digits", train: true), "images with boxes");
    }

    private static string Messages(Action action)
    {
        DataException e = Assert.Throws<DataException>(action);
        return string.Join('\n', [.. e.Details, e.Message]);
    }

    private static void Write(string format, DetectionSplits splits, string path) =>
        (format == "voc" ? (Action<DetectionSplits, string>)DetectionFiles.WriteVoc : DetectionFiles.WriteCoco)(splits, path);

    private static string Voc(TempFolder folder)
    {
        DetectionFiles.WriteVoc(DigitScenes.Create(40, 2, 1), folder["voc"]);
        return folder["voc"];
    }

    private static string Coco(TempFolder folder)
    {
        DetectionFiles.WriteCoco(DigitScenes.Create(4, 2, 1), folder["coco"]);
        return folder["coco"];
    }

    private static string Annotation(string objects) =>
        $"<annotation><size><width>128</width><height>128</height></size>{objects}</annotation>";

    /// <summary>Asserts that the bright pixels lie in the boxes, and some at every edge of each.</summary>
    internal static void AssertBright(RawImage image, IReadOnlyList<LabelledBox> objects, int slack = 2)
    {
        // The noise ends below what can be seen, and a stroke begins within two of the 28 pixels of a digit, which is at most 64 wide.
        const int bright = 64, visible = 32, edge = 4;
        foreach (Box box in objects.Select(o => o.Box))
        {
            Assert.True(
                IsVisible(box with { X1 = box.X0 + edge }) && IsVisible(box with { X0 = box.X1 - edge })
                && IsVisible(box with { Y1 = box.Y0 + edge }) && IsVisible(box with { Y0 = box.Y1 - edge }),
                $"{box} is larger than what it is around");
        }

        for (int i = 0; i < image.Height * image.Width; i++)
        {
            if (image.Pixels.Span[i * image.Channels] >= bright)
            {
                (int x, int y) = (i % image.Width, i / image.Width);
                Assert.Contains(objects.Select(o => o.Box), b =>
                    x >= b.X0 - slack && x < b.X1 + slack && y >= b.Y0 - slack && y < b.Y1 + slack);
            }
        }

        bool IsVisible(Box strip)
        {
            for (int y = (int)strip.Y0; y < strip.Y1; y++)
            {
                for (int x = (int)strip.X0; x < strip.X1; x++)
                {
                    if (image.Pixels.Span[(y * image.Width + x) * image.Channels] >= visible)
                    {
                        return true;
                    }
                }
            }

            return false;
        }
    }
}
