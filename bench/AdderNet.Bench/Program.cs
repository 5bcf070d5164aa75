using System.Text.Json;
using AdderNet;
using AdderNet.Bench;
using AdderNet.Checkpoints;
using AdderNet.Data;
using AdderNet.Graph;
using AdderNet.Inference;
using AdderNet.Kernels;
using AdderNet.Models;
using AdderNet.Training;
using Spectre.Console;
using TorchSharp;

const string Usage = """
    Usage: bench [layers|training|models|engine|quantized|peak|official ...] [--peer libtorch|ort] [--threads 2,1]
           [--seconds S] [--batch N] [--json FILE]
           bench ship [--run RUN] [--cnn RUN] [--model NAME --data NAME] [--data-dir DIR] [--threads N] [--seconds S] [--readme]
           bench deployed
           bench scaling processes|network|projection

      layers     layer forward against libtorch's Conv2d, or with --peer ort against ONNX Runtime's float32 Conv, over the layers of
                 ResNet-20, VGG-small and ResNet-18
      training   layer forward + backward, same layers
      models     ResNet-20 training step, AdderNet against CNN; and BatchNorm's re-estimation against the epoch it ends
      engine     ResNet-20 inference: AdderNet in the engine against the CNN in ONNX Runtime, batch 1 and 256
      quantized  layer forward on bytes of 8, 7 and 6 bits against ONNX Runtime's QLinearConv, and against its float32 Conv
      peak       kernels against a register-only loop of the same instructions
      official   ResNet-20 against the official algorithm in PyTorch, time and peak memory (slow)

      ship       accuracy, milliseconds and file of a trained network in float32, 8, 7 and 6 bits, and of its CNN in ONNX Runtime:
                 of the runs of `addernet train` and `addernet train --layers cnn`, of others, or of files of weights with
                 --model and --data; --readme writes the README's section
      deployed   time and memory of addernet-infer with ResNet-20, from start to end (after ./native)
      scaling    training on two processes against one; two over slowed loopbacks (as root, on Linux) against a model; and the model for
                 ResNet-50 on ImageNet

    Without a name: all but official. S is the time for one layer (default 1.5), N the batch of `official` (default 64).
    """;

List<string> suites = [];
int[] threadCounts = Environment.ProcessorCount > 1 ? [2, 1] : [1];
double seconds = 1.5;
int officialBatch = 64;
bool onnxRuntime = false;
string? json = null;
if (args is ["official-ours", var t, var b])
{
    TorchThreads.Use(int.Parse(t));
    OfficialSuite.RunOurs(int.Parse(b));
    return 0;
}

if (args is [ScalingSuite.RankArgument, var rankModel, var rankBatch, var rankSteps])
{
    ScalingSuite.RunRank(rankModel, int.Parse(rankBatch), int.Parse(rankSteps));
    return 0;
}

if (args is ["scaling", "processes" or "network" or "projection"])
{
    return Told(() => ScalingSuite.Run(args[1]));
}

if (args is ["deployed"])
{
    return Told(DeployedSuite.Run);
}

bool ship = args is ["ship", ..], readme = false;
string run = "runs/lenet5-bn-mnist";
string? cnn = null, model = null, data = null, dataDir = null;
for (int i = ship ? 1 : 0; i < args.Length; i++)
{
    string? value = i + 1 < args.Length ? args[i + 1] : null;
    switch (args[i], value)
    {
        case ("layers" or "training" or "models" or "engine" or "quantized" or "peak" or "official", _): suites.Add(args[i]); break;
        case ("--peer", "ort" or "libtorch"): onnxRuntime = value == "ort"; i++; break;
        case ("--threads", not null) when value.Split(',').All(p => int.TryParse(p, out int n) && n > 0):
            threadCounts = [.. value.Split(',').Select(int.Parse)]; i++; break;
        case ("--seconds", not null) when double.TryParse(value, out seconds) && seconds > 0: i++; break;
        case ("--batch", not null) when int.TryParse(value, out officialBatch) && officialBatch > 0: i++; break;
        case ("--json", not null): json = value; i++; break;
        case ("--run", not null) when ship: run = value; i++; break;
        case ("--cnn", not null) when ship: cnn = value; i++; break;
        case ("--model", not null) when ship: model = value; i++; break;
        case ("--data", not null) when ship: data = value; i++; break;
        case ("--data-dir", not null) when ship: dataDir = value; i++; break;
        case ("--readme", _) when ship: readme = true; break;
        case ("--help" or "-h", _): Console.WriteLine(Usage); return 0;
        default: Console.Error.WriteLine($"'{args[i]}' is not something bench takes here.\n{Usage}"); return 2;
    }
}

if (ship)
{
    if ((model is null) != (data is null))
    {
        Console.Error.WriteLine("--model and --data say together what a file of weights is.");
        return 2;
    }

    try
    {
        model = model is null ? null : AdderNetModels.Find(model).Name;
    }
    catch (ArgumentException e)
    {
        Console.Error.WriteLine(e.Message);
        return 2;
    }

    return Told(() =>
    {
        TorchThreads.Use(threadCounts[^1]);
        ShipSuite.Run(run, cnn, model, data, dataDir, threadCounts[^1], TimeSpan.FromSeconds(6 * seconds), readme);
    });
}

if (suites.Count == 0)
{
    suites = ["layers", "training", "models", "engine", "quantized", "peak"];
}

TimeSpan time = TimeSpan.FromSeconds(seconds);
List<Row> rows = [];
Console.WriteLine($"{VectorWidths.Best} kernels, {Environment.ProcessorCount} processors, libtorch {torch.__version__}");
// The runtime recompiles what is called often in the background: the first case must not pay for that.
TorchThreads.Use(threadCounts[0]);
_ = LayerSuite.MeasureForwardBackward(LayerShapes.All[0], threadCounts[0], TimeSpan.FromSeconds(2));
foreach (int threads in threadCounts)
{
    TorchThreads.Use(threads);
    foreach (string suite in suites)
    {
        Report(suite switch
        {
            "layers" when onnxRuntime => LayerShapes.All.Select(c => LayerSuite.MeasureAgainstOnnxRuntime(c, threads, time)),
            "layers" => LayerShapes.All.SelectMany(c => LayerSuite.MeasureForward(c, threads, time)),
            "training" => LayerShapes.All.Select(c => LayerSuite.MeasureForwardBackward(c, threads, time)),
            "models" => [ModelSuite.MeasureTrainingStep(256, threads, time * 10), ModelSuite.MeasureReestimation(256, threads, time * 5)],
            "engine" => EngineSuite.Measure(threads, time * 6),
            "quantized" => LayerShapes.All.SelectMany(c => ByteSuite.Measure(c, threads, time)),
            "peak" => LayerShapes.All.Where(c => c.C * c.Kernel * c.Kernel >= 144).SelectMany(c =>
                PeakSuite.MeasureForward(c, threads, time)
                    .Concat(PeakSuite.MeasureInputGradient(c, threads, time))
                    .Concat(PeakSuite.MeasureBytes(c, threads, time))),
            _ => OfficialSuite.Measure(threads, officialBatch),
        });
    }
}

if (json is not null)
{
    File.WriteAllText(json, JsonSerializer.Serialize(
        rows.Select(r => new { r.Suite, r.Case, r.Threads, r.Ours, r.Peer, r.Unit, r.Ratio }),
        new JsonSerializerOptions { WriteIndented = true, PropertyNamingPolicy = JsonNamingPolicy.CamelCase }));
}

return 0;

static int Told(Action measure)
{
    try
    {
        measure();
        return 0;
    }
    catch (Exception e) when (
        e is BenchException or TrainingException or DataException or CheckpointException or InferenceException or GraphException
            or FormatException)
    {
        Console.Error.WriteLine($"Error: {e.Message}");
        return 1;
    }
}

void Report(IEnumerable<Row> measured)
{
    foreach (IGrouping<string, Row> group in measured.ToArray().GroupBy(r => r.Suite))
    {
        rows.AddRange(group);
        var table = new Table().Title($"{Markup.Escape(group.Key)}, {group.First().Threads} thread(s)")
            .AddColumn("case").AddColumn(new TableColumn("ours").RightAligned()).AddColumn(new TableColumn("peer").RightAligned())
            .AddColumn(new TableColumn("ours / peer").RightAligned());
        foreach (Row r in group)
        {
            table.AddRow(Markup.Escape(r.Case), Format(r.Ours, r.Unit), Format(r.Peer, r.Unit), $"{r.Ratio:F3}");
        }

        table.AddRow("[bold]geometric mean[/]", "", "", $"[bold]{Interleaved.GeometricMean(group.Select(r => r.Ratio)):F3}[/]");
        AnsiConsole.Write(table);
    }
}

static string Format(double value, string unit) => unit == "s" ? $"{value * 1e3:F3} ms" : $"{value:F1} {unit}";
