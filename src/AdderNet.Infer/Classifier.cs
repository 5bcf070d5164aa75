using AdderNet.Data;
using AdderNet.Graph;
using AdderNet.Inference;

namespace AdderNet.Infer;

/// <summary>A network with what is needed to feed it and to read its answers.</summary>
internal sealed class Classifier : IDisposable
{
    private readonly Engine engine;
    private readonly string name;
    private readonly InputPreparation preparation;
    private readonly Augmentation steps;

    private Classifier(Engine engine, string name)
    {
        (this.engine, this.name) = (engine, name);
        if (engine.Graph.Metadata.Boxes is not null)
        {
            throw new InferenceException($"{name} is a detector, and this program tells images apart; use 'addernet predict'.");
        }

        preparation = engine.Graph.Metadata.Preparation
            ?? throw new InferenceException($"{name} does not say how an image becomes its input; write it again with 'addernet'.");
        if (engine.InputShape.Channels is not (1 or 3))
        {
            throw new InferenceException($"{name} takes inputs of {engine.InputShape.Channels} channels, which no image has.");
        }

        steps = new Augmentation
        {
            Resize = preparation.Resize,
            Pad = preparation.Pad,
            CenterCrop = preparation.CenterCrop,
            Mean = preparation.Mean,
            Std = preparation.Std,
        };
    }

    /// <summary>Loads a model file.</summary>
    /// <exception cref="Checkpoints.CheckpointException">It is missing or damaged, or has no network.</exception>
    /// <exception cref="InferenceException">The network can't be run on images.</exception>
    public static Classifier Load(string path, int? threads)
    {
        Engine engine = Engine.Load(path, threads);
        try
        {
            return new Classifier(engine, path);
        }
        catch
        {
            engine.Dispose();
            throw;
        }
    }

    /// <summary>The likeliest classes of an image.</summary>
    /// <exception cref="DataException">The image can't be read, or is none that the network takes.</exception>
    public IReadOnlyList<Guess> Guess(string path, int top, bool invert)
    {
        RawImage image = PlainImageFile.Read(path).WithChannels(engine.InputShape.Channels);
        if (preparation is { CoverHeight: { } rows, CoverWidth: { } columns })
        {
            image = image.ResizeToCover(rows, columns);
        }

        if (invert)
        {
            image = image.Negative();
        }

        (float[] pixels, int height, int width) = steps.Apply(image);
        FeatureShape shape = engine.InputShape;
        if ((height, width) != (shape.Height, shape.Width))
        {
            throw new DataException(
                $"{path} becomes an input of {height}x{width}, and {name} takes {shape.Height}x{shape.Width}; scale the image first.");
        }

        float[] scores = new float[engine.OutputLength];
        engine.Run(ImagePlanes.Of(pixels, shape.Channels, shape.Pixels), scores);
        double most = scores.Max(), sum = scores.Sum(s => Math.Exp(s - most));
        return
        [
            .. scores.Index().OrderByDescending(s => s.Item).Take(top)
                .Select(s => new Guess(ClassName(s.Index), s.Index, Math.Exp(s.Item - most) / sum)),
        ];
    }

    /// <inheritdoc/>
    public void Dispose() => engine.Dispose();

    private string ClassName(int index) =>
        engine.Graph.Metadata.ClassNames is { } names && index < names.Count ? names[index] : $"class {index}";
}
