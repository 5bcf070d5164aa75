using System.CommandLine;
using System.Globalization;
using AdderNet.Data;
using AdderNet.Graph;
using AdderNet.Models;
using AdderNet.Training;
using Spectre.Console;

namespace AdderNet.Cli.Commands;

/// <summary><c>addernet info</c>: a model's layers, counted as the paper's tables count.</summary>
internal static class InfoCommand
{
    private sealed record Layer(
        string Name, string Type, IReadOnlyList<long> Output, long Parameters, long Multiplications, long Additions, long? AdditionsLeft, long Xnors);

    /// <summary>The network that is shown.</summary>
    private sealed record Subject(string Name, string Title, string Label, LayerKind Kind, int Classes, NetworkGraph Graph);

    /// <summary>Energy of a picture's arithmetic, in microjoules; where weights are known, also with skipped taps not counted.</summary>
    private sealed record Energy(double Float32, double Int8, double? Float32Left, double? Int8Left);

    public static Command Create(Host host)
    {
        Argument<string> name = new("MODEL") { Description = "Name of a model ('models' lists them), or a run folder, a file of weights or a graph, whose weights tell what costs nothing" };
        Option<string?> model = CommonOptions.Model("Model that a .pth or .safetensors file of weights is of");
        Option<LayerKind?> layers = CommonOptions.Layers();
        Option<string?> data = CommonOptions.Data("Data set whose channels and classes the model is built for; by default the paper's");
        Option<bool> json = CommonOptions.Json();
        CliCommand command = new(
            "info",
            "Show a model's layers, parameters and operations, counted as in the paper.",
            "info resnet20 # the AdderNet",
            "info resnet20 --layers cnn # the CNN beside it, or bnn for the binary network",
            "info runs/resnet20-cifar10 # a trained network: also what is left when taps that need no work are not counted",
            "info resnet20.pth --model resnet20 --data cifar10 # weights saved by the official code",
            "info vgg-small --data cifar100 --json # for 100 classes, for scripts")
        {
            name, model, layers, data, json,
        };
        command.SetAction(arguments =>
        {
            string named = arguments.GetValue(name)!;
            bool trained = Path.Exists(named) && Names.FindModel(named) is null;
            string? of = arguments.GetValue(model);
            if (of is not null && !trained)
            {
                throw CliException.Usage($"--model says what a file of weights is of, and there is no file {named}.");
            }

            if (trained && of is null && (arguments.Has(layers) || arguments.Has(data)))
            {
                throw CliException.Usage($"{named} has its layers and its data; leave out --layers and --data, or say with --model what file of weights it is.");
            }

            Subject subject =
                of is not null ? Trained(LoadedModel.OfWeights(named, of, arguments.GetValue(data), arguments.GetValue(layers), host.Error.WriteLine))
                : !trained ? Fresh(Names.Model(named), arguments.GetValue(layers) ?? LayerKind.Adder, arguments.GetValue(data) is { } d ? Datasets.Find(d) : null)
                : GraphFiles.IsGraph(named) ? OfGraph(named)
                : Trained(LoadedModel.OfRun(named, CheckpointChoice.Best));
            NetworkGraph graph = subject.Graph;
            TapWork? work = trained ? new TapWork(graph) : null;
            OperationCounts total = OperationCounts.Of(graph.Nodes);
            OperationCounts? left = work?.Operations;
            IReadOnlyList<Layer> table = Layers(graph, work);
            Energy energy = new(
                OperationEnergy.SinglePrecision.Microjoules(total), OperationEnergy.EightBitIntegers.Microjoules(total),
                left is { } f ? OperationEnergy.SinglePrecision.Microjoules(f) : null, left is { } i ? OperationEnergy.EightBitIntegers.Microjoules(i) : null);
            IReadOnlyList<long> input = graph.Inputs[0].Shape.Sizes;
            if (arguments.GetValue(json))
            {
                host.Out.WriteJson(new
                {
                    subject.Name,
                    subject.Title,
                    Layers = subject.Kind.Name(),
                    InputShape = input,
                    subject.Classes,
                    total.Parameters,
                    total.Multiplications,
                    total.Additions,
                    AdditionsLeft = left?.Additions,
                    total.Xnors,
                    EnergyMicrojoules = energy,
                    Table = table,
                });
                return;
            }

            host.Out.WriteLine($"{subject.Label}: {subject.Classes} classes of pictures of {Shape(input)}");
            host.Tables.Write(Table(table, total, left));
            string without = left is null ? ""
                : FormattableString.Invariant($"; with skipped taps not counted {energy.Float32Left:N2} and {energy.Int8Left:N3} µJ");
            host.Out.WriteLine(FormattableString.Invariant(
                $"Energy of a picture's arithmetic: {energy.Float32:N2} µJ in float32, {energy.Int8:N3} µJ in int8{without}"));
        });
        return command;
    }

    private static Subject Fresh(ModelInfo info, LayerKind kind, DatasetInfo? set)
    {
        Names.CheckLayers(info, kind);
        int channels = set?.Channels ?? info.InputChannels, classes = set is { Classes: > 0 } ? set.Classes : info.Classes;
        return new Subject(
            info.Name, info.Title, Names.Network(kind, info.Name), kind, classes,
            info.FindsBoxes ? DetectionModels.Graph(info.Name, kind, classes, channels) : AdderNetModels.Graph(info.Name, kind, classes, channels));
    }

    private static Subject OfGraph(string path)
    {
        NetworkGraph read = GraphFiles.Read(path);
        string name = read.Metadata.Model ?? Path.GetFileNameWithoutExtension(path);
        return Of(name, name, path, GraphModels.Kind(read), read);
    }

    private static Subject Trained(LoadedModel model)
    {
        using (model)
        {
            return Of(model.Name, model.Title, model.Source, model.Layers, model.ToGraph());
        }
    }

    private static Subject Of(string name, string title, string source, LayerKind kind, NetworkGraph graph)
    {
        int classes = graph.Metadata is { Boxes: not null, ClassNames: { } names } ? names.Count : graph[graph.Outputs[0].Node].Shape.Channels;
        return new(name, title, $"{title}, {source}", kind, classes, graph);
    }

    /// <summary>The steps that are modules; the sums of residual blocks and the ReLUs behind them are parts of their blocks.</summary>
    private static IReadOnlyList<Layer> Layers(NetworkGraph graph, TapWork? work) =>
    [
        .. from node in graph.Nodes
           where node is not (InputNode or AddNode) && !(node is ReluNode && graph[node.Inputs[0]] is AddNode)
           let counts = OperationCounts.Of(node)
           select new Layer(
               node.Name, Type(node), node.Shape.Sizes, counts.Parameters, counts.Multiplications, counts.Additions, work?.Of(node).Additions, counts.Xnors),
    ];

    /// <summary>The class of the module that a node is of, as PyTorch calls it.</summary>
    private static string Type(GraphNode node) => node switch
    {
        AdderNode => "Adder2d",
        ConvolutionNode => "Conv2d",
        BinaryConvolutionNode => "BinaryConv2d",
        LinearNode => "Linear",
        BatchNormNode => node.Shape.IsVector ? "BatchNorm1d" : "BatchNorm2d",
        ReluNode => "ReLU",
        HardTanhNode => "Hardtanh",
        SigmoidNode => "Sigmoid",
        MaxPoolNode => "MaxPool2d",
        AveragePoolNode => "AvgPool2d",
        GlobalAveragePoolNode => "AdaptiveAvgPool2d",
        FlattenNode => "Flatten",
        UpsampleNode => "Upsample",
        ChannelShuffleNode => "ChannelShuffle",
        SelectChannelsNode => "channels",
        ConcatenateNode => "cat",
        MultiplyNode => "mul",
        _ => node.GetType().Name.Replace("Node", "", StringComparison.Ordinal),
    };

    private static Table Table(IReadOnlyList<Layer> layers, OperationCounts total, OperationCounts? left)
    {
        Table table = new Table().Border(TableBorder.Horizontal).AddColumns("Layer", "Type");
        bool binary = total.Xnors > 0;
        foreach (string heading in (string[])["Output", "Parameters", "Multiplications", "Additions", .. Left("Without skipped"), .. Xnors("XNORs")])
        {
            table.AddColumn(new TableColumn(heading).RightAligned());
        }

        foreach (Layer l in layers)
        {
            table.AddRow([
                Markup.Escape(l.Name), l.Type, Shape(l.Output), Count(l.Parameters), Count(l.Multiplications), Count(l.Additions),
                .. Left(Count(l.AdditionsLeft ?? 0)), .. Xnors(Count(l.Xnors))]);
        }

        table.AddEmptyRow();
        return table.AddRow([
            "[bold]total[/]", "", "", Bold(Count(total.Parameters)), Bold(Paper(total.Multiplications)), Bold(Paper(total.Additions)),
            .. Left(Bold(Paper(left?.Additions ?? 0))), .. Xnors(Bold(Paper(total.Xnors)))]);

        string[] Left(string cell) => left is null ? [] : [cell];
        string[] Xnors(string cell) => binary ? [cell] : [];
        static string Bold(string text) => $"[bold]{text}[/]";
    }

    private static string Shape(IReadOnlyList<long> sizes) => string.Join('x', sizes);

    private static string Count(long n) => n == 0 ? "-" : n.ToString("N0", CultureInfo.InvariantCulture);

    /// <summary>The count, and the paper's way to write it.</summary>
    private static string Paper(long n) => n == 0 ? "-" : FormattableString.Invariant($"{n:N0} ({(n >= 1e9 ? $"{n / 1e9:F2}G" : n >= 1e6 ? $"{n / 1e6:F2}M" : $"{n / 1e3:F1}K")})");
}
