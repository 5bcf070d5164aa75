using System.CommandLine;
using AdderNet.Models;
using AdderNet.Training;

namespace AdderNet.Cli.Commands;

/// <summary>The options of <c>eval</c> and <c>predict</c> that say which model is meant.</summary>
internal sealed class ModelOptions
{
    private readonly Option<string?> model = CommonOptions.Model("Model that a .pth or .safetensors file of weights is of");
    private readonly Option<LayerKind?> layers = CommonOptions.Layers("Inner layers of --model where they are binary, bnn or dorefa; adder and cnn the file tells by itself");
    private readonly Option<bool> last = new("--last") { Description = "Use a run's last epoch; by default its best" };

    /// <summary>The data set, where it isn't the one of the run.</summary>
    public Option<string?> Data { get; } = CommonOptions.Data("Data set, where it isn't the run's");

    public void AddTo(Command command)
    {
        foreach (Option option in (Option[])[model, layers, Data, last])
        {
            command.Add(option);
        }
    }

    /// <summary>Loads a run (the newest where none is named) or, with --model, a file of weights.</summary>
    public LoadedModel Load(Host host, ParseResult arguments, string? path)
    {
        if (arguments.GetValue(model) is { } name)
        {
            return LoadedModel.OfWeights(
                path ?? throw CliException.Usage("--model says what a file of weights is of; name the file, too."),
                name,
                arguments.GetValue(Data),
                arguments.GetValue(layers),
                host.Error.WriteLine);
        }

        if (arguments.Has(layers))
        {
            throw CliException.Usage("--layers says what a file of weights is of, and needs --model; a run knows its layers.");
        }

        if (path is not null && GraphFiles.IsGraph(path))
        {
            return GraphModels.Load(path, arguments.GetValue(Data));
        }

        return LoadedModel.OfRun(path ?? Runs.Newest(), arguments.GetValue(last) ? CheckpointChoice.Last : CheckpointChoice.Best);
    }
}
