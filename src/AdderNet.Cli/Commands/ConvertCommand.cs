using System.CommandLine;
using AdderNet.Checkpoints;
using AdderNet.Training;

namespace AdderNet.Cli.Commands;

/// <summary><c>addernet convert</c>: weights between PyTorch's files and safetensors.</summary>
internal static class ConvertCommand
{
    public static Command Create(Host host)
    {
        Argument<string> source = new("SOURCE") { Description = "A PyTorch checkpoint (.pth, .pt), a .safetensors file, or a run folder for its best weights" };
        Argument<string> destination = new("DESTINATION") { Description = "File to write; .safetensors, .pth or .pt says its kind" };
        Option<bool> force = new("--force") { Description = "Replace the destination where it exists" };
        CliCommand command = new(
            "convert",
            "Convert weights between PyTorch's files and safetensors. Nothing a file holds is ever run.",
            "convert resnet20.pth resnet20.safetensors # from the official code",
            "convert runs/resnet20-cifar10 resnet20.pth # the best weights of a run, for torch.load(..., weights_only=True)")
        {
            source, destination, force,
        };
        command.SetAction(arguments =>
        {
            (string from, string to) = (arguments.GetValue(source)!, arguments.GetValue(destination)!);
            if (Path.Exists(to) && !arguments.GetValue(force))
            {
                throw new CliException($"{to} exists; choose another name, or replace it with --force.");
            }

            TensorFile weights = Directory.Exists(from) ? TrainedModel.ReadWeights(from) : CheckpointFiles.ReadStateDict(from);
            foreach (string note in weights.Notes)
            {
                host.Error.WriteLine(note);
            }

            CheckpointFiles.Write(to, weights);
            host.Out.WriteLine(FormattableString.Invariant($"Wrote {to}: {CheckpointFiles.ReadStateDict(to).Tensors.Count} tensors, {new FileInfo(to).Length:N0} bytes."));
        });
        return command;
    }
}
