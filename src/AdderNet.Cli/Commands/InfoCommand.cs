using System.CommandLine;
using System.Globalization;
using AdderNet.Data;
using AdderNet.Models;
using Spectre.Console;

namespace AdderNet.Cli.Commands;

/// <summary><c>addernet info</c>: a model's layers, counted as the paper's tables count.</summary>
internal static class InfoCommand
{
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
            ModelSummary summary = ModelSummary.Of(info.Name, kind, classes, channels);
            if (arguments.GetValue(json))
            {
                host.Out.WriteJson(new
                {
                    info.Name,
                    info.Title,
                    Layers = kind.Name(),
                    InputShape = (int[])[channels, info.InputSize, info.InputSize],
                    Classes = classes,
                    summary.Parameters,
                    summary.Multiplications,
                    summary.Additions,
                    summary.Xnors,
                    Table = summary.Layers,
                });
                return;
            }

            host.Out.WriteLine(
                $"{Names.Network(kind, info.Name)}: {classes} classes of pictures of {Shape([channels, info.InputSize, info.InputSize])}");
            host.Tables.Write(Table(summary));
        });
        return command;
    }

    private static Table Table(ModelSummary summary)
    {
        Table table = new Table().Border(TableBorder.Horizontal).AddColumns("Layer", "Type");
        bool binary = summary.Xnors > 0;
        foreach (string heading in (string[])["Output", "Parameters", "Multiplications", "Additions", .. Xnors("XNORs")])
        {
            table.AddColumn(new TableColumn(heading).RightAligned());
        }

        foreach (LayerSummary l in summary.Layers)
        {
            table.AddRow([
                Markup.Escape(l.Name), l.Type, Shape(l.Output), Count(l.Parameters), Count(l.Multiplications), Count(l.Additions), .. Xnors(Count(l.Xnors))]);
        }

        table.AddEmptyRow();
        return table.AddRow([
            "[bold]total[/]", "", "", Bold(Count(summary.Parameters)), Bold(Paper(summary.Multiplications)), Bold(Paper(summary.Additions)),
            .. Xnors(Bold(Paper(summary.Xnors)))]);

        string[] Xnors(string cell) => binary ? [cell] : [];
        static string Bold(string text) => $"[bold]{text}[/]";
    }

    private static string Shape(IReadOnlyList<long> sizes) => string.Join('x', sizes);

    private static string Count(long n) => n == 0 ? "-" : n.ToString("N0", CultureInfo.InvariantCulture);

    /// <summary>The count, and the paper's way to write it.</summary>
    private static string Paper(long n) => n == 0 ? "-" : FormattableString.Invariant($"{n:N0} ({(n >= 1e9 ? $"{n / 1e9:F2}G" : n >= 1e6 ? $"{n / 1e6:F2}M" : $"{n / 1e3:F1}K")})");
}
