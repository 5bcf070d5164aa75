using System.CommandLine;
using AdderNet.Checkpoints;
using AdderNet.Graph;
using AdderNet.Inference;
using AdderNet.Models;
using AdderNet.Reproduction;
using AdderNet.Training;

namespace AdderNet.Cli.Commands;

/// <summary><c>addernet quantize</c>: a network on integer codes of 4 to 8 bits, and what that costs in accuracy.</summary>
internal static class QuantizeCommand
{
    public static Command Create(Host host)
    {
        Argument<string?> run = new("RUN")
        {
            Description = "Run folder, a file of weights, or a graph (.safetensors, .onnx); without it the newest run in runs/",
            Arity = ArgumentArity.ZeroOrOne,
        };
        ModelOptions models = new();
        Option<int?> bits = CommonOptions.Number(
            "--bits", "B", "Bits of adder layers' inputs and filters, 8 by default", Quantizer.FewestBits, Quantizer.MostBits);
        Option<int?> calibration = CommonOptions.Number(
            "--calibration", "N", "Training images that ranges are measured with; 256 by default, fewer of large ones", 1, 1 << 20);
        Option<int?> epochs = CommonOptions.Number(
            "--epochs", "E", "Epochs to train on with inputs and filters rounded, which regains accuracy at few bits; none by default, and none for a detector", 1, 1_000_000);
        Option<string?> output = new("--out")
        {
            HelpName = "FILE",
            Description = "File to write; by default beside the weights, for example best-8bit.safetensors",
        };
        Option<string?> dataDir = CommonOptions.DataDir();
        Option<int?> batchSize = CommonOptions.Number(
            "--batch-size", "N", "Images at a time when accuracy is measured, 256 by default, 16 for a detector", 1, 1 << 20);
        Option<int?> threads = CommonOptions.Threads();
        Option<bool> json = CommonOptions.Json(), force = new("--force") { Description = "Replace the file where it exists" };
        CliCommand command = new(
            "quantize",
            "Make an AdderNet a network of integers: 4 to 8 bits for its adder layers, 8 for the rest. "
            + "eval and predict take the file it writes.",
            "quantize # the newest run, 8 bits",
            "quantize runs/resnet20-cifar10 --bits 6 # fewer bits: smaller and faster",
            "quantize runs/fcos-resnet20-voc --data-dir ~/voc --bits 7 # a detector, and its mAP before and after",
            "quantize runs/resnet20-cifar10 --bits 4 --epochs 2 # fewest bits, and two epochs of training with them",
            "quantize resnet20.pth --model resnet20 --data cifar10 --out resnet20-7bit.safetensors --bits 7 # weights saved by the official code")
        {
            run, bits, calibration, epochs, output, dataDir, batchSize, threads, json, force,
        };
        models.AddTo(command);
        command.SetAction(arguments =>
        {
            TorchThreads.Use(arguments.GetValue(threads));
            using LoadedModel model = models.Load(host, arguments, arguments.GetValue(run));
            int? rounds = arguments.GetValue(epochs);
            if (rounds is not null && model.FindsBoxes)
            {
                throw CliException.Usage("--epochs is for models that tell images apart; leave it out.");
            }

            using Interrupt interrupt = new(rounds is not null && host.Live is null ? host.Error : null);
            int width = arguments.GetValue(bits) ?? Quantizer.MostBits;
            string path = arguments.GetValue(output) ?? OutputFile.Beside(model.Source, $"{width}bit");
            OutputFile.Refuse(path, arguments.GetValue(force));
            CalibrationData data = CalibrationData.Open(
                host, model, arguments.GetValue(models.Data), arguments.GetValue(dataDir), arguments.GetValue(batchSize), interrupt.Token);
            var measure = data.OpenMeasured();
            NetworkGraph graph = model.ToGraph(data.Height, data.Width, data.ClassNames);
            float[] images = data.Take(arguments.GetValue(calibration)).Values;
            QuantizedNetwork quantized = Quantizer.Quantize(graph, images, width);
            // Fine-tuning changes the model.
            EvaluationResult before = measure(model.Model);
            EvaluationResult? untrained = null;
            if (rounds is { } count)
            {
                untrained = Measure(quantized.Graph);
                string name = data.Info.Name;
                Recipe recipe = ContinuedTraining.RecipeFor((model.Recipe ?? Recipe.For(model.Name, name)).WithDataset(name), count);
                using var made = model.Model is EngineModel ? graph.ToModule(recipe.WeightGradient, recipe.InputGradient) : null;
                quantized = FineTuningDisplay.Run(
                    host, progress => FineTuning.Run(made ?? model.Model, quantized, recipe, data.Train!, images, progress, interrupt.Token));
            }

            quantized.Graph.Save(path);
            EvaluationResult after = Measure(quantized.Graph);
            long floatBytes = MemoryEstimate.Of(graph).Weights, bytes = MemoryEstimate.Of(quantized.Graph).Weights;
            if (arguments.GetValue(json))
            {
                host.Out.WriteJson(new
                {
                    model.Source,
                    Model = model.Name,
                    Data = data.Info.Name,
                    File = path,
                    Bits = width,
                    Calibration = images.Length / graph.Inputs[0].Shape.Count,
                    quantized.Layers,
                    Epochs = rounds ?? 0,
                    Before = Told(before, floatBytes),
                    Untrained = untrained is null ? null : Told(untrained, null),
                    After = Told(after, bytes),
                    before.Count,
                });
                return;
            }

            Show(host.Out, quantized.Layers);
            string trained = rounds is null ? "" : $" after {rounds} epoch{(rounds == 1 ? "" : "s")} of fine-tuning";
            foreach (Metric metric in data.Metrics)
            {
                string what = data.Metrics.Count == 1 ? "" : $", {metric.Title}";
                string unaided = untrained is null ? "" : $"{width} bits {Percent(metric, untrained, before)}, ";
                host.Out.WriteLine(FormattableString.Invariant(
                    $"{data.Info.Title}, {before.Count:N0} images{what}: float32 {metric.Format(before.Values[metric.Name])}, {unaided}{width} bits{trained} {Percent(metric, after, before)}"));
            }

            host.Out.WriteLine(FormattableString.Invariant(
                $"Wrote {path}: weights of {bytes:N0} bytes, {(double)floatBytes / bytes:F1} times fewer than float32."));

            EvaluationResult Measure(NetworkGraph integers)
            {
                using EngineModel engine = new(new Engine(integers, arguments.GetValue(threads)));
                return measure(engine);
            }
        });
        return command;
    }

    /// <summary>All that was measured, as JSON has it.</summary>
    private static Dictionary<string, object> Told(EvaluationResult result, long? weightBytes)
    {
        Dictionary<string, object> told = result.Values.ToDictionary(value => value.Key, value => (object)value.Value);
        if (weightBytes is { } bytes)
        {
            told["weightBytes"] = bytes;
        }

        return told;
    }

    private static string Percent(Metric metric, EvaluationResult result, EvaluationResult exact) => FormattableString.Invariant(
        $"{metric.Format(result.Values[metric.Name])} ({100 * (result.Values[metric.Name] - exact.Values[metric.Name]):+0.00;-0.00;0.00} points)");

    private static void Show(TextWriter writer, IReadOnlyList<QuantizedLayer> layers)
    {
        int name = Math.Max("layer".Length, layers.Max(l => l.Name.Length));
        writer.WriteLine($"{"layer".PadRight(name)}  bits  range    chosen by  skipped   plain  compared   error");
        foreach (QuantizedLayer layer in layers)
        {
            bool adder = layer.Skipped + layer.Plain + layer.Compared > 0;
            string taps = adder
                ? FormattableString.Invariant($"{100 * layer.Skipped,7:F1}% {100 * layer.Plain,6:F1}% {100 * layer.Compared,8:F1}%")
                : new string(' ', 25);
            writer.WriteLine(FormattableString.Invariant(
                $"{layer.Name.PadRight(name)} {layer.Bits,5} {layer.Range,6:G4} {layer.Rule,12} {taps} {100 * layer.Error,6:F1}%"));
        }
    }
}
