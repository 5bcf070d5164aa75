using System.CommandLine;
using AdderNet.Training;
using Spectre.Console;

namespace AdderNet.Cli.Commands;

/// <summary><c>addernet recipes</c>: the training recipes that come with the program.</summary>
internal static class RecipesCommand
{
    public static Command Create(Host host)
    {
        Argument<string?> name = new("NAME") { Description = "Recipe to print as JSON; without it all are listed", Arity = ArgumentArity.ZeroOrOne };
        Option<bool> json = CommonOptions.Json();
        CliCommand command = new(
            "recipes",
            "List the training recipes, or print one.",
            "recipes # a table",
            "recipes cifar > my.json # get one to edit; 'train --recipe my.json' trains it",
            "recipes --json # all of them, for scripts")
        {
            name, json,
        };
        command.SetAction(arguments =>
        {
            if (arguments.GetValue(name) is { } one)
            {
                host.Out.WriteLine(Names.Recipe(one).WithAugmentation().ToJson());
                return;
            }

            if (arguments.GetValue(json))
            {
                host.Out.WriteJson(Recipes.All);
                return;
            }

            Table table = new Table().Border(TableBorder.Horizontal).AddColumns("Name", "What it is");
            foreach (NamedRecipe r in Recipes.All)
            {
                table.AddRow(r.Name, Markup.Escape(r.Title));
            }

            host.Tables.Write(table);
            host.Out.WriteLine($"'{Host.CommandName} train --recipe NAME' trains one; every value can be changed with options or in the JSON that 'recipes NAME' prints.");
        });
        return command;
    }
}
