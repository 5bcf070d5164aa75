using System.CommandLine;
using AdderNet.Cli.Detection;
using AdderNet.Data;
using Spectre.Console;
using TorchSharp;
using static TorchSharp.torch;

namespace AdderNet.Cli.Commands;

/// <summary><c>addernet predict</c>: the likeliest classes of images.</summary>
internal static class PredictCommand
{
    private sealed record Guess(string Class, int Index, double Probability);

    private sealed record Prediction(string Image, IReadOnlyList<Guess> Guesses);

    public static Command Create(Host host)
    {
        Argument<string[]> images = new("IMAGE") { Description = "Images of any size (JPEG, PNG, WebP, BMP, GIF, ICO), folders, which stand for all images in and below them, or patterns such as 'photos/*.jpg' or '**/*.png'", Arity = ArgumentArity.OneOrMore };
        Option<string?> run = new("--run", "--weights")
        {
            HelpName = "RUN",
            Description = "Run folder, a file of weights, or a graph (.safetensors, .onnx); without it the newest run in runs/",
        };
        ModelOptions models = new();
        Option<int?> top = CommonOptions.Number("--top", "K", "Classes to list, 5 by default", 1, 1_000_000), threads = CommonOptions.Threads();
        Option<bool> invert = new("--invert") { Description = "Take the negative first: MNIST's digits and Fashion-MNIST's clothes are light on black" };
        Option<string?> output = new("--out") { HelpName = "DIR", Description = "Detection: folder for the pictures with boxes, IMAGE-found.png; predictions by default" };
        Option<double?> leastScore = CommonOptions.Number("--min-score", "S", "Detection: leave out objects that are less sure, 0.3 by default", 0.0, 1.0);
        Option<bool> json = CommonOptions.Json();
        CliCommand command = new(
            "predict",
            "Tell what is on images: their classes, or, by a detector, the objects in them with their boxes. An image that can't be read is told and left out (exit code 1).",
            "predict shoe.png # by the newest run",
            "predict photos/ *.jpg --run runs/resnet20-cifar10 --top 3 # a folder and several images, another run",
            "predict street.jpg --run runs/fcos-resnet18-voc --out found # a detector: boxes, names and scores, and pictures of them",
            "predict digit.png --invert --json # dark ink on white paper, JSON for scripts",
            "predict cat.jpg --weights resnet20.pth --model resnet20 --data cifar10 # weights saved by the official code")
        {
            images, run, top, invert, leastScore, output, threads, json,
        };
        models.AddTo(command);
        command.SetAction(arguments =>
        {
            TorchThreads.Use(arguments.GetValue(threads));
            using LoadedModel model = models.Load(host, arguments, arguments.GetValue(run));
            if ((model.FindsBoxes ? top : arguments.Has(output) ? output : arguments.Has(leastScore) ? (Option)leastScore : null) is { } other && arguments.Has(other))
            {
                throw CliException.Usage($"{other.Name} is {(model.FindsBoxes ? "for models that tell images apart" : "for detectors")}; leave it out.");
            }

            DetectionPredict? detection = model.FindsBoxes
                ? new DetectionPredict(model, arguments.GetValue(output) ?? "predictions", (float)(arguments.GetValue(leastScore) ?? 0.3))
                : null;
            bool bad = false;
            List<object> predictions = [];
            foreach (string path in arguments.GetValue(images)!.SelectMany(argument => Try(() => ImagePaths.Find(argument), [])))
            {
                if (detection is not null)
                {
                    if (Try(() => detection.Run(path, arguments.GetValue(invert)), null) is { } found)
                    {
                        predictions.Add(found);
                        if (!arguments.GetValue(json))
                        {
                            DetectionPredict.Show(host, found);
                        }
                    }

                    continue;
                }

                if (Try(() => Predict(model, path, arguments.GetValue(top) ?? 5, arguments.GetValue(invert)), null) is { } guesses)
                {
                    Prediction prediction = new(path, guesses);
                    predictions.Add(prediction);
                    if (!arguments.GetValue(json))
                    {
                        Show(host.Tables, prediction);
                    }
                }
            }

            if (arguments.GetValue(json))
            {
                host.Out.WriteJson(predictions);
            }

            return bad ? ExitCode.Failure : ExitCode.Success;

            // One bad image is no reason to leave out the others.
            T Try<T>(Func<T> read, T instead)
            {
                try
                {
                    return read();
                }
                catch (DataException e)
                {
                    Failure.Report(e, host.Error);
                    bad = true;
                    return instead;
                }
            }
        });
        return command;
    }

    private static IReadOnlyList<Guess> Predict(LoadedModel model, string path, int top, bool invert)
    {
        RawImage image = ImageFile.Read(path).WithChannels(model.Channels);
        if (Datasets.Find(model.Dataset) is { Height: > 0 } stored)
        {
            image = image.ResizeToCover(stored.Height, stored.Width);
        }

        (float[] pixels, int height, int width) = model.Preparation.Apply(invert ? image.Negative() : image);
        using var scope = NewDisposeScope();
        using var guard = no_grad();
        Tensor logits = model.Model.forward(tensor(pixels, [1, height, width, model.Channels]).permute(0, 3, 1, 2));
        double[] probabilities = [.. logits.to(ScalarType.Float64).softmax(1).data<double>()];
        return [.. probabilities.Index().OrderByDescending(p => p.Item).Take(top).Select(p => new Guess(Name(p.Index), p.Index, p.Item))];

        string Name(int index) => index < model.ClassNames.Count ? model.ClassNames[index] : $"class {index}";
    }

    private static void Show(IAnsiConsole console, Prediction prediction)
    {
        console.MarkupLineInterpolated($"[bold]{prediction.Image}[/]");
        int width = prediction.Guesses.Max(g => g.Class.Length);
        foreach (Guess guess in prediction.Guesses)
        {
            string bar = new(console.Profile.Capabilities.Unicode ? '█' : '#', (int)Math.Round(30 * guess.Probability));
            console.MarkupLineInterpolated($"  {guess.Class.PadRight(width)}  {100 * guess.Probability,6:F2} %  [deepskyblue1]{bar}[/]");
        }
    }
}
