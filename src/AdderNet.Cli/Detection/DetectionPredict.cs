using AdderNet.Checkpoints;
using AdderNet.Data;
using AdderNet.Data.Detection;
using AdderNet.Training.Detection;

namespace AdderNet.Cli.Detection;

/// <summary><c>addernet predict</c> of a detector: objects in images, and pictures with their boxes.</summary>
internal sealed class DetectionPredict
{
    private readonly LoadedModel model;
    private readonly Detector detector;
    private readonly string folder;
    private readonly float leastScore;

    /// <param name="model">The detector.</param>
    /// <param name="folder">Where the pictures go.</param>
    /// <param name="leastScore">Objects that are less sure are left out.</param>
    public DetectionPredict(LoadedModel model, string folder, float leastScore)
    {
        (this.model, this.folder, this.leastScore) = (model, folder, leastScore);
        detector = new Detector(model.Model, model.Levels, model.ClassNames.Count);
    }

    /// <summary>An object as JSON has it: its box is left, upper, right and lower edge in pixels.</summary>
    internal sealed record Object(string Class, int Index, float Score, IReadOnlyList<float> Box);

    /// <summary>An image as JSON has it.</summary>
    internal sealed record Prediction(string Image, int Width, int Height, IReadOnlyList<Object> Objects, string Picture);

    /// <summary>Finds the objects of an image and writes the picture.</summary>
    /// <exception cref="DataException">The image can't be read, or the picture not written.</exception>
    public Prediction Run(string path, bool invert)
    {
        RawImage read = ImageFile.Read(path), image = read.WithChannels(model.Channels);
        IReadOnlyList<FoundBox> found = detector.Find(invert ? image.Negative() : image, model.Preparation, leastScore);
        string picture = NewName(path);
        try
        {
            Directory.CreateDirectory(folder);
            // The surest lie above the others.
            byte[] png = BoxPicture.Png(read, found.Reverse().Select(f => new DrawnBox(
                read.Placement.Apply(f.Box), FormattableString.Invariant($"{model.ClassNames[f.Class]} {f.Score:F2}"),
                DetectionReport.Color(f.Class))));
            AtomicFile.Write(picture, stream => stream.Write(png));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or CheckpointException)
        {
            throw new CliException($"{picture} can't be written: {e.Message.TrimEnd('.')}; choose another folder with --out.");
        }

        IEnumerable<Object> objects =
            found.Select(f => new Object(model.ClassNames[f.Class], f.Class, f.Score, [f.Box.X0, f.Box.Y0, f.Box.X1, f.Box.Y1]));
        return new Prediction(path, read.StoredWidth, read.StoredHeight, [.. objects], picture);
    }

    /// <summary>A line an object.</summary>
    public static void Show(Host host, Prediction prediction)
    {
        string objects = prediction.Objects.Count == 1 ? "object" : "objects";
        host.Out.WriteLine($"{prediction.Image}: {prediction.Objects.Count} {objects}, drawn in {prediction.Picture}");
        int width = prediction.Objects.Select(o => o.Class.Length).DefaultIfEmpty().Max();
        foreach (Object o in prediction.Objects)
        {
            host.Out.WriteLine(FormattableString.Invariant(
                $"  {o.Class.PadRight(width)}  {100 * o.Score,5:F1} %  ({o.Box[0]:F0}, {o.Box[1]:F0}) to ({o.Box[2]:F0}, {o.Box[3]:F0})"));
        }
    }

    /// <summary>A name in the folder that nothing has: not the image itself, nor a picture of another or of an earlier time.</summary>
    private string NewName(string path)
    {
        string name = Path.Combine(folder, $"{Path.GetFileNameWithoutExtension(path)}-found");
        return Enumerable.Range(1, int.MaxValue).Select(i => i == 1 ? $"{name}.png" : $"{name}-{i}.png").First(p => !Path.Exists(p));
    }
}
