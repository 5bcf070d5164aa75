using System.CommandLine;
using AdderNet.Models;
using Spectre.Console;

namespace AdderNet.Cli.Commands;

/// <summary><c>addernet models</c>: what can be trained.</summary>
internal static class ModelsCommand
{
    public static Command Create(Host host)
    {
        Option<bool> json = CommonOptions.Json();
        CliCommand command = new("models", "List the models.", "models # a table", "models --json # for scripts") { json };
        command.SetAction(arguments =>
        {
            if (arguments.GetValue(json))
            {
                host.Out.WriteJson(Names.Models.Select(m => new { m.Name, m.Title, InputShape = (int[])[m.InputChannels, m.InputSize, m.InputSize], m.Classes, m.FindsBoxes }));
                return;
            }

            Table table = new Table().Border(TableBorder.Horizontal).AddColumns("Name", "Model", "Input", "Classes", "Finds");
            foreach (ModelInfo m in Names.Models)
            {
                table.AddRow(m.Name, m.Title, $"{m.InputChannels}x{m.InputSize}x{m.InputSize}", $"{m.Classes}", m.FindsBoxes ? "objects in boxes" : "an image's class");
            }

            host.Tables.Write(table);
            host.Out.WriteLine($"Each as AdderNet or, with --layers cnn, bnn or dorefa, as CNN or binary network; detectors, and networks of other blocks than ResNet's, as AdderNet or CNN. '{Host.CommandName} info NAME' shows the layers.");
        });
        return command;
    }
}
