using System.CommandLine;
using System.Globalization;
using AdderNet.Data;
using AdderNet.Graph;
using AdderNet.Models;
using Spectre.Console;

namespace AdderNet.Cli.Commands;

/// <summary><c>addernet info</c>: a model's layers, counted as the paper's tables count.</summary>
internal static class InfoCommand
{
    private sealed record Layer(
        string Name, string Type, IReadOnlyList<long> Output, long Parameters, long Multiplications, long Additions, long Xnors);

    public static Command Create(Host host)
    {
        Argument<string> name = new("MODEL") { Description = "Name of a model ('models' lists them)" };
        Option<LayerKind?> layers = CommonOptions.Layers();
        Option<string?> data = CommonOptions.Data("Data set whose channels and classes the model is built for; by default the paper's");
        Option<bool> json = CommonOptions.Json();
        CliCommand command = new(
            "info",
            "Show a model's layers, parameters and operations, counted as in the paper.",
            "info resnet20 # the AdderNet",
            "info resnet20 --layers cnn # the CNN beside it, or bnn for the binary network",
            "info vgg-small --data cifar100 --json # for 100 classes, for scripts")
        {
            name, layers, data, json,
        };
        command.SetAction(arguments =>
        {
            ModelInfo info = Names.Model(arguments.GetValue(name)!);
            DatasetInfo? set = arguments.GetValue(data) is { } d ? Datasets.Find(d) : null;
            LayerKind kind = arguments.GetValue(layers) ?? LayerKind.Adder;
            int channels = set?.Channels ?? info.InputChannels;
            int classes = set is { Classes: > 0 } ? set.Classes : info.Classes;
            NetworkGraph graph = info.FindsBoxes ? Detector(info, kind, classes, channels) : AdderNetModels.Graph(info.Name, kind, classes, channels);
            OperationCounts total = OperationCounts.Of(graph.Nodes);
            IReadOnlyList<Layer> table = Layers(graph);
            if (arguments.GetValue(json))
            {
                host.Out.WriteJson(new
                {
                    info.Name,
                    info.Title,
                    Layers = kind.Name(),
                    InputShape = (int[])[channels, info.InputSize, info.InputSize],
                    Classes = classes,
                    total.Parameters,
                    total.Multiplications,
                    total.Additions,
                    total.Xnors,
                    Table = table,
                });
                return;
            }

            host.Out.WriteLine(
                $"{Names.Network(kind, info.Name)}: {classes} classes of pictures of {Shape([channels, info.InputSize, info.InputSize])}");
            host.Tables.Write(Table(table, total));
        });
        return command;
    }

    /// <summary>The steps that are modules; the sums of residual blocks and the ReLUs behind them are parts of their blocks.</summary>
    private static IReadOnlyList<Layer> Layers(NetworkGraph graph) =>
    [
        .. from node in graph.Nodes
           where node is not (InputNode or AddNode) && !(node is ReluNode && graph[node.Inputs[0]] is AddNode)
           let counts = OperationCounts.Of(node)
           select new Layer(
               node.Name, Type(node), node.Shape.Sizes, counts.Parameters, counts.Multiplications, counts.Additions, counts.Xnors),
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
        _ => node.GetType().Name.Replace("Node", "", StringComparison.Ordinal),
    };

    private static NetworkGraph Detector(ModelInfo info, LayerKind kind, int? classes, int? channels) => kind is LayerKind.Adder or LayerKind.Conv
        ? DetectionModels.Graph(info.Name, kind, classes, channels)
        : throw CliException.Usage($"{info.Title} is made of adder layers or convolutions, not of binary layers; use --layers adder or cnn.");

    private static Table Table(IReadOnlyList<Layer> layers, OperationCounts total)
    {
        Table table = new Table().Border(TableBorder.Horizontal).AddColumns("Layer", "Type");
        bool binary = total.Xnors > 0;
        foreach (string heading in (string[])["Output", "Parameters", "Multiplications", "Additions", .. Xnors("XNORs")])
        {
            table.AddColumn(new TableColumn(heading).RightAligned());
        }

        foreach (Layer l in layers)
        {
            table.AddRow([
                Markup.Escape(l.Name), l.Type, Shape(l.Output), Count(l.Parameters), Count(l.Multiplications), Count(l.Additions), .. Xnors(Count(l.Xnors))]);
        }

        table.AddEmptyRow();
        return table.AddRow([
            "[bold]total[/]", "", "", Bold(Count(total.Parameters)), Bold(Paper(total.Multiplications)), Bold(Paper(total.Additions)),
            .. Xnors(Bold(Paper(total.Xnors)))]);

        string[] Xnors(string cell) => binary ? [cell] : [];
        static string Bold(string text) => $"[bold]{text}[/]";
    }

    private static string Shape(IReadOnlyList<long> sizes) => string.Join('x', sizes);

    private static string Count(long n) => n == 0 ? "-" : n.ToString("N0", CultureInfo.InvariantCulture);

    /// <summary>The count, and the paper's way to write it.</summary>
    private static string Paper(long n) => n == 0 ? "-" : FormattableString.Invariant($"{n:N0} ({(n >= 1e9 ? $"{n / 1e9:F2}G" : n >= 1e6 ? $"{n / 1e6:F2}M" : $"{n / 1e3:F1}K")})");
}
