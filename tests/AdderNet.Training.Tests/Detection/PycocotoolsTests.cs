using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using AdderNet.Data.Detection;
using AdderNet.Training.Detection;

namespace AdderNet.Training.Tests.Detection;

/// <summary>Random images, objects and detections get the numbers that COCO's own code gives them.</summary>
public class PycocotoolsTests
{
    private const string Script =
        """
        import sys, json, io, contextlib
        from pycocotools.coco import COCO
        from pycocotools.cocoeval import COCOeval
        with contextlib.redirect_stdout(io.StringIO()):
            truth = COCO(sys.argv[1])
            e = COCOeval(truth, truth.loadRes(sys.argv[2]), 'bbox')
            e.evaluate(); e.accumulate(); e.summarize()
        print(' '.join(repr(float(e.stats[i])) for i in (0, 1, 2, 3, 4, 5, 8)))
        """;

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public void Average_precisions_are_those_of_pycocotools(int seed)
    {
        Assert.SkipUnless(Python("-c", "import pycocotools") is not null, "python3-pycocotools is not installed");
        using TempFolder folder = new();
        Random random = new(seed);
        DetectionMeter meter = new(["a", "b", "c"]);
        List<object> images = [], annotations = [], results = [];
        for (int image = 1; image <= 30; image++)
        {
            LabelledBox[] truth = [.. Enumerable.Range(0, random.Next(8)).Select(_ =>
                new LabelledBox(random.Next(3), Random()) { IsCrowd = random.Next(8) == 0 })];
            FoundBox[] found =
            [
                .. truth.Where(_ => random.Next(4) > 0).Select(t =>
                    new FoundBox(random.Next(6) == 0 ? random.Next(3) : t.Class, Moved(t.Box), Score())),
                .. Enumerable.Range(0, random.Next(120)).Select(_ => new FoundBox(random.Next(3), Random(), Score())),
            ];
            meter.Add(truth, found);
            images.Add(new { id = image, width = 400, height = 400 });
            annotations.AddRange(truth.Select(t => new
            {
                id = annotations.Count + 1,
                image_id = image,
                category_id = t.Class + 1,
                bbox = Numbers(t.Box),
                area = t.Area,
                iscrowd = t.IsCrowd ? 1 : 0,
            }).ToArray());
            results.AddRange(found.Select(f =>
                new { image_id = image, category_id = f.Class + 1, bbox = Numbers(f.Box), score = f.Score }));
        }

        // Numbers of annotations are only known one by one.
        JsonObject[] numbered = [.. annotations.Select(a => JsonSerializer.SerializeToNode(a)!.AsObject())];
        for (int i = 0; i < numbered.Length; i++)
        {
            numbered[i]["id"] = i + 1;
        }

        var categories = new[] { 1, 2, 3 }.Select(id => new { id, name = $"{id}" });
        File.WriteAllText(folder["truth.json"], JsonSerializer.Serialize(new { images, annotations = numbered, categories }));
        File.WriteAllText(folder["found.json"], JsonSerializer.Serialize(results));
        File.WriteAllText(folder["eval.py"], Script);
        string said = Python(folder["eval.py"], folder["truth.json"], folder["found.json"])!;
        double[] theirs = [.. said.Split(' ').Select(n => double.Parse(n, CultureInfo.InvariantCulture))];
        DetectionScores ours = meter.Scores();
        double?[] mine = [ours.All.Map, ours.All.Map50, ours.Map75, .. ours.BySize.Select(s => s.Map), ours.Recall100];
        Assert.All(mine.Zip(theirs), pair => Assert.Equal(pair.Second, pair.First ?? -1, 6));

        // Halves, so that boxes are the same in floats and in their difference.
        Box Random()
        {
            (float x, float y) = (random.Next(600) / 2f, random.Next(600) / 2f);
            return new Box(x, y, x + 4 + random.Next(240) / 2f, y + 4 + random.Next(240) / 2f);
        }

        Box Moved(Box b) =>
            new(b.X0 + random.Next(8) / 2f, b.Y0 + random.Next(8) / 2f, b.X1 + random.Next(8) / 2f, b.Y1 + random.Next(8) / 2f);

        float Score() => random.Next(1, 100) / 128f;
    }

    private static float[] Numbers(Box b) => [b.X0, b.Y0, b.Width, b.Height];

    /// <summary>What Debian's Python writes; null where it fails or is not there.</summary>
    private static string? Python(params string[] arguments)
    {
        try
        {
            ProcessStartInfo start = new("/usr/bin/python3", arguments) { RedirectStandardOutput = true, RedirectStandardError = true };
            using Process process = Process.Start(start)!;
            Task<string> error = process.StandardError.ReadToEndAsync();
            string output = process.StandardOutput.ReadToEnd();
            process.WaitForExit();
            Assert.True(process.ExitCode == 0 || arguments[0] == "-c", error.Result);
            return process.ExitCode == 0 ? output.Trim() : null;
        }
        catch (System.ComponentModel.Win32Exception)
        {
            return null;
        }
    }
}
