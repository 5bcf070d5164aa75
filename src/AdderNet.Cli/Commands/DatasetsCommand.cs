using System.CommandLine;
using AdderNet.Data;
using AdderNet.Data.Detection;
using Spectre.Console;

namespace AdderNet.Cli.Commands;

/// <summary><c>addernet datasets</c>: what can be trained on.</summary>
internal static class DatasetsCommand
{
    private enum Layout
    {
        Voc,
        Coco,
    }

    public static Command Create(Host host)
    {
        Option<bool> json = CommonOptions.Json();
        Option<Layout?> write = CommonOptions.Choice("--write", "Write the drawn digits as files of Pascal VOC's or COCO's layout, to --out", ("voc", Layout.Voc), ("coco", Layout.Coco));
        Option<string?> output = new("--out") { HelpName = "DIR", Description = "New folder for --write" };
        Option<int?> images = CommonOptions.Number("--images", "N", "Training images for --write, 4000 by default; an eighth as many each for validation and test", 1, 1_000_000);
        Option<long?> seed = CommonOptions.Number("--seed", "N", "Decides what --write draws, 1 by default", 0, long.MaxValue);
        CliCommand command = new(
            "datasets", "List the data sets, or write the one with boxes that is drawn.", "datasets # a table",
            "datasets --json # for scripts, with the classes' names", "datasets --write voc --out digits-voc --images 200 # digits with boxes as files, to try other programs with")
        {
            json, write, output, images, seed,
        };
        command.SetAction(arguments =>
        {
            if (arguments.GetValue(write) is { } layout)
            {
                Write(
                    host, layout, arguments.GetValue(output) ?? throw CliException.Usage("--write needs a new folder; name it with --out."),
                    arguments.GetValue(images) ?? 4000, (ulong)(arguments.GetValue(seed) ?? 1));
                return;
            }

            if (((Option[])[output, images, seed]).FirstOrDefault(arguments.Has) is { } useless)
            {
                throw CliException.Usage($"{useless.Name} belongs to --write; name the layout, too: --write voc or coco.");
            }

            if (arguments.GetValue(json))
            {
                host.Out.WriteJson(Datasets.All);
                return;
            }

            Table table = new Table().Border(TableBorder.Horizontal).AddColumns("Name", "Data set", "Image", "Classes", "Training", "Test", "Model", "From");
            foreach (DatasetInfo d in Datasets.All)
            {
                table.AddRow(
                    d.Name, d.Title, d.Height > 0 ? $"{d.Channels}x{d.Height}x{d.Width}" : "any", d.Classes > 0 ? $"{d.Classes}" : "any",
                    d.TrainCount > 0 ? FormattableString.Invariant($"{d.TrainCount:N0}") : "any", d.TestCount > 0 ? FormattableString.Invariant($"{d.TestCount:N0}") : "any",
                    Partners.ModelFor(d).Name, Markup.Escape(d.Source));
            }

            host.Tables.Write(table);
            host.Out.WriteLine("MNIST is part of addernet. The others are read from --data-dir, else from where a Debian package has put them, else downloaded");
            host.Out.WriteLine($"once where their source allows it. The model is what train takes without --model: {Partners.Rule}.");
        });
        return command;
    }

    private static void Write(Host host, Layout layout, string folder, int images, ulong seed)
    {
        int few = Math.Max(1, images / 8);
        DetectionSplits scenes = DigitScenes.Create(images, few, few, seed);
        if (layout == Layout.Voc)
        {
            DetectionFiles.WriteVoc(scenes, folder);
        }
        else
        {
            DetectionFiles.WriteCoco(scenes, folder);
        }

        host.Out.WriteLine(FormattableString.Invariant($"Wrote {images + 2 * few:N0} images with their boxes. What to type next:"));
        host.Out.WriteLine();
        host.Out.WriteLine($"  {Host.CommandName} train --data {(layout == Layout.Voc ? "voc" : "coco")} --data-dir {Host.Quoted(folder)} --image-size {DigitScenes.Side}");
    }
}
