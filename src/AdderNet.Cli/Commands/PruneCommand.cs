using System.CommandLine;
using AdderNet.Data;
using AdderNet.Graph;
using AdderNet.Inference;
using AdderNet.Models;
using AdderNet.Training;

namespace AdderNet.Cli.Commands;

/// <summary><c>addernet prune</c>: what of a network costs nothing already, and how to make more of it so, or the network smaller.</summary>
internal static class PruneCommand
{
    /// <summary>A network as it was or as it has become.</summary>
    private sealed record State(
        double Top1, double Loss, double TapsLeft, long Additions, long Multiplications, long WeightBytes, double Milliseconds, double BatchMilliseconds);

    public static Command Create(Host host)
    {
        Argument<string?> run = new("RUN")
        {
            Description = "Run folder, a file of weights, or a graph (.safetensors, .onnx); without it the newest run in runs/",
            Arity = ArgumentArity.ZeroOrOne,
        };
        ModelOptions models = new();
        Option<double?> taps = CommonOptions.Number(
            "--taps", "SHARE", "Make this share of the adder layers' taps free, 0 to 1: those lowest above the least input are pulled down to it", 0.0, 1.0);
        Option<double?> channels = CommonOptions.Number(
            "--channels", "SHARE", "Take out this share of the channels that can go, 0 to 1: those that BatchNorm scales least", 0.0, 1.0);
        Option<double?> svd = CommonOptions.Number(
            "--svd", "X", "Make two layers of each fully connected and ordinary 1x1 layer: of rank X, or below 1 of the rank that keeps this share of the energy",
            1e-6, 1e6);
        Option<double?> frequencies = CommonOptions.Number(
            "--frequencies", "X",
            "Leave the filters of each ordinary convolution larger than 1x1 X frequencies, or below 1 as many as keep this share of the energy", 1e-6, 1e6);
        Option<int?> epochs = CommonOptions.Number("--epochs", "E", "Epochs to train on meanwhile; none by default", 1, 1_000_000);
        Option<int?> calibration = CommonOptions.Number(
            "--calibration", "N", "Training images that the layers' inputs are measured with; 256 by default, fewer of large ones", 1, 1 << 20);
        Option<string?> output = new("--out")
        {
            HelpName = "FILE",
            Description = "File to write; by default beside the weights, for example best-pruned.safetensors",
        };
        Option<string?> dataDir = CommonOptions.DataDir();
        Option<int?> batchSize = CommonOptions.Number(
            "--batch-size", "N", "Images at a time when accuracy and time are measured, 256 by default", 1, 1 << 16);
        Option<int?> threads = CommonOptions.Threads();
        Option<bool> json = CommonOptions.Json(), force = new("--force") { Description = "Replace the file where it exists" };
        CliCommand command = new(
            "prune",
            "Show which weights of an AdderNet cost nothing; make more of them so, or the network smaller. "
            + "eval, predict, export, bench and quantize take the file it writes.",
            "prune # the newest run: what costs nothing already, layer by layer; nothing is written",
            "prune runs/resnet20-cifar10 --taps 0.5 --epochs 2 # half of all taps free, and two epochs of training meanwhile",
            "prune runs/resnet20-cifar10 --channels 0.25 --epochs 2 # a quarter of the channels fewer",
            "prune runs/vgg-small-cnn-cifar10 --svd 0.95 # two smaller layers for each fully connected and 1x1 layer",
            "prune runs/resnet20-cnn-cifar10 --frequencies 5 --epochs 2 # five of nine frequencies in each 3x3 convolution")
        {
            run, taps, channels, svd, frequencies, epochs, calibration, output, dataDir, batchSize, threads, json, force,
        };
        models.AddTo(command);
        command.SetAction(arguments =>
        {
            TorchThreads.Use(arguments.GetValue(threads));
            double? share = arguments.GetValue(taps), fewer = arguments.GetValue(channels), product = arguments.GetValue(svd), waves = arguments.GetValue(frequencies);
            bool changes = (share ?? fewer ?? product ?? waves) is not null;
            int rounds = arguments.GetValue(epochs) ?? 0;
            if (product > 1 && product % 1 != 0)
            {
                throw CliException.Usage(FormattableString.Invariant(
                    $"--svd takes a rank, which is a whole number, or a share of the energy below 1, not {product}."));
            }

            if (waves > 1 && waves % 1 != 0)
            {
                throw CliException.Usage(FormattableString.Invariant(
                    $"--frequencies takes how many, which is a whole number, or a share of the energy below 1, not {waves}."));
            }

            if (!changes && ((Option[])[epochs, output, batchSize, force]).FirstOrDefault(arguments.Has) is { } useless)
            {
                throw CliException.Usage($"{useless.Name} needs something to prune; say what with --taps, --channels, --svd or --frequencies.");
            }

            using LoadedModel model = models.Load(host, arguments, arguments.GetValue(run));
            model.RefuseDetector("pruned");
            using Interrupt interrupt = new(rounds > 0 && host.Live is null ? host.Error : null);
            string path = arguments.GetValue(output) ?? OutputFile.Beside(model.Source, "pruned");
            if (changes)
            {
                OutputFile.Refuse(path, arguments.GetValue(force));
            }

            string dataName = arguments.GetValue(models.Data) is { } other ? Datasets.Find(other).Name : model.Dataset;
            string? folder = arguments.GetValue(dataDir);
            Dataset train = DataSource.Open(host, dataName, train: true, folder, interrupt.Token);
            model.RefuseOtherChannels(train.Info);
            (float[] images, _, int height, int width) = CalibrationImages.Take(train, model.Preparation, arguments.GetValue(calibration));
            NetworkGraph graph = model.ToGraph(height, width, train.ClassNames);
            if (changes && graph.Nodes.Any(node => node.Grid is not null))
            {
                throw new CliException($"{model.Source} is quantized; prune what it was made of, and quantize that again.");
            }

            TapTable before = TapTable.Of(graph, images, arguments.GetValue(threads));
            if (!changes)
            {
                if (arguments.GetValue(json))
                {
                    host.Out.WriteJson(new { model.Source, Model = model.Name, Data = dataName, before.Layers, before.Total });
                    return;
                }

                host.Out.WriteLine($"{model.Title}, {model.Source}");
                before.Write(host.Out);
                return;
            }

            Dataset test = DataSource.Open(host, dataName, train: false, folder, interrupt.Token);
            int batch = arguments.GetValue(batchSize) ?? 256;
            using DataLoader measured = new(test, model.Preparation, batch, shuffle: false, seed: 0);
            EvaluationResult exact = Evaluation.Run(model.Model, measured, cancel: interrupt.Token);
            LowRankNetwork? products = product is not { } x ? null
                : x < 1 ? LowRank.ToEnergy(graph, x) : LowRank.ToRank(graph, (int)x);
            PrunedChannels? narrow = fewer is { } part ? ChannelPruning.Run(products?.Graph ?? graph, part) : null;
            NetworkGraph whole = narrow?.Graph ?? products?.Graph ?? graph;
            FrequencyNetwork? fewWaves = waves is not { } f ? null
                : f < 1 ? FrequencyPruning.ToEnergy(whole, f) : FrequencyPruning.ToCount(whole, (int)f);
            IReadOnlyDictionary<string, double> errors = fewWaves is null
                ? new Dictionary<string, double>() : FrequencyErrors.Of(whole, fewWaves, images, arguments.GetValue(threads));
            NetworkGraph smaller = fewWaves?.Graph ?? whole;
            Recipe recipe = ContinuedTraining.RecipeFor(
                (model.Recipe ?? Recipe.For(model.Name, dataName)).WithDataset(dataName), Math.Max(rounds, 1));
            NetworkGraph pruned = FineTuningDisplay.Run(
                host, progress => PrunedTraining.Run(smaller, share, recipe, rounds, train, images, progress, interrupt.Token));
            pruned.Save(path);
            TapTable after = TapTable.Of(pruned, images, arguments.GetValue(threads));
            using Engine engineBefore = new(graph, arguments.GetValue(threads)), engineAfter = new(pruned, arguments.GetValue(threads));
            using EngineModel kept = new(engineAfter);
            EvaluationResult reached = Evaluation.Run(kept, measured, cancel: interrupt.Token);
            double[] one = EngineTimes.Measure([engineBefore, engineAfter], images, 1, host.LeastTime, interrupt.Token);
            double[] many = EngineTimes.Measure([engineBefore, engineAfter], images, batch, host.LeastTime, interrupt.Token);
            State was = Of(graph, before, exact, 0), now = Of(pruned, after, reached, 1);
            if (arguments.GetValue(json))
            {
                host.Out.WriteJson(new
                {
                    model.Source,
                    Model = model.Name,
                    Data = dataName,
                    File = path,
                    Epochs = rounds,
                    Svd = products?.Layers,
                    Channels = narrow?.Layers,
                    Frequencies = fewWaves?.Layers.Select(
                        layer => new { layer.Layer, layer.Full, layer.Kept, layer.Energy, Error = errors[layer.Layer], layer.Before, layer.After }),
                    after.Layers,
                    after.Total,
                    Before = was,
                    After = now,
                    Batch = batch,
                    exact.Count,
                });
                return;
            }

            Show(host.Out, products, narrow);
            if (fewWaves is not null)
            {
                Show(host.Out, fewWaves, errors);
            }

            if (after.Layers.Count > 0)
            {
                after.Write(host.Out);
            }

            if (now.Multiplications != was.Multiplications)
            {
                host.Out.WriteLine(FormattableString.Invariant(
                    $"Multiplications for a picture: {now.Multiplications:N0}, before {was.Multiplications:N0}."));
            }

            string trained = rounds == 0 ? "pruned" : $"pruned, after {rounds} epoch{(rounds == 1 ? "" : "s")} of training";
            host.Out.WriteLine(FormattableString.Invariant(
                $"{test.Info.Title}, {exact.Count:N0} images: {100 * was.Top1:F2} %, {trained} {100 * now.Top1:F2} % ({100 * (now.Top1 - was.Top1):+0.00;-0.00;0.00} points)"));
            host.Out.WriteLine(FormattableString.Invariant(
                $"Milliseconds a picture, before and after: {was.Milliseconds:F3} and {now.Milliseconds:F3} alone ({now.Milliseconds / was.Milliseconds:F2} of it), {was.BatchMilliseconds:F3} and {now.BatchMilliseconds:F3} in batches of {batch} ({now.BatchMilliseconds / was.BatchMilliseconds:F2} of it)"));
            host.Out.WriteLine(FormattableString.Invariant(
                $"Wrote {path}: weights of {now.WeightBytes:N0} bytes, before {was.WeightBytes:N0}."));

            State Of(NetworkGraph network, TapTable table, EvaluationResult result, int which) => new(
                result.Top1, result.Loss, table.Total.Taps.Left, table.Total.Additions, table.Total.Multiplications,
                MemoryEstimate.Of(network).Weights, one[which], many[which] / batch);
        });
        return command;
    }

    private static void Show(TextWriter writer, LowRankNetwork? products, PrunedChannels? narrow)
    {
        foreach (LowRankLayer layer in products?.Layers ?? [])
        {
            writer.WriteLine(FormattableString.Invariant(
                $"{layer.Layer}: rank {layer.Rank} of {layer.Full}, {100 * layer.Energy:F1} % of the energy, {layer.After:N0} weights for {layer.Before:N0}"));
        }

        if (products is { Layers.Count: 0 })
        {
            writer.WriteLine("No fully connected or ordinary 1x1 layer has fewer weights as two.");
        }

        if (narrow is null)
        {
            return;
        }

        writer.WriteLine($"Channels: {string.Join(", ", narrow.Layers.Select(layer => $"{layer.Layer} {layer.After} of {layer.Before}"))}");
        foreach (IGrouping<string, string> kept in narrow.Kept.GroupBy(k => k.Value, k => k.Key))
        {
            writer.WriteLine($"All channels stay in {string.Join(", ", kept)}: {kept.Key}.");
        }
    }

    private static void Show(TextWriter writer, FrequencyNetwork frequencies, IReadOnlyDictionary<string, double> errors)
    {
        foreach (FrequencyLayer layer in frequencies.Layers)
        {
            writer.WriteLine(FormattableString.Invariant(
                $"{layer.Layer}: {layer.Kept.Count} of {layer.Full} frequencies, {100 * layer.Energy:F1} % of the energy, error of its output {100 * errors[layer.Layer]:F2} %, {layer.After:N0} weights for {layer.Before:N0}"));
        }

        HashSet<string> waves = [.. frequencies.Layers.Select(layer => frequencies.Graph[layer.Layer].Inputs[0])];
        string[] same = [.. frequencies.Graph.Nodes.Where(FrequencyPruning.HasFrequencies).Select(node => node.Name).Where(name => !waves.Contains(name))];
        if (same.Length > 0)
        {
            writer.WriteLine($"No cheaper with so many frequencies, and left as {(same.Length == 1 ? "it is" : "they are")}: {string.Join(", ", same)}.");
        }

        if (frequencies.Graph.Nodes.Any(node => node is AdderNode))
        {
            writer.WriteLine("Adder layers stay as they are: an L1 distance is not kept by a transform of what it compares.");
        }
    }
}
