using System.CommandLine;
using AdderNet.Data;
using Spectre.Console;

namespace AdderNet.Cli.Commands;

/// <summary><c>addernet datasets</c>: what can be trained on.</summary>
internal static class DatasetsCommand
{
    public static Command Create(Host host)
    {
        Option<bool> json = CommonOptions.Json();
        CliCommand command = new("datasets", "List the data sets.", "datasets # a table", "datasets --json # for scripts, with the classes' names") { json };
        command.SetAction(arguments =>
        {
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
}
