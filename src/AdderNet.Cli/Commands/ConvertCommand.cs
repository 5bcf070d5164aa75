using System.CommandLine;
using AdderNet.Checkpoints;

namespace AdderNet.Cli.Commands;

/// <summary><c>addernet convert</c>: weights between PyTorch's files and safetensors.</summary>
internal static class ConvertCommand
{
    public static Command Create(Host host)
    {
        Argument<string> source = new("SOURCE") { Description = "A PyTorch checkpoint (.pth, .pt) or a .safetensors file" };
        Argument<string> destination = new("DESTINATION") { Description = "File to write; .safetensors, .pth or .pt says its kind" };
        Option<bool> force = new("--force") { Description = "Replace the destination where it exists" };
        CliCommand command = new(
            "convert",
            "Convert weights between PyTorch's files and safetensors. Nothing a file holds is ever run.",
            "convert resnet20.pth resnet20.safetensors # from the official code",
            "convert runs/resnet20-cifar10/best.safetensors resnet20.pth # for torch.load(..., weights_only=True)")
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

            CheckpointFiles.Convert(from, to);
            host.Out.WriteLine(FormattableString.Invariant($"Wrote {to}: {CheckpointFiles.ReadStateDict(to).Tensors.Count} tensors, {new FileInfo(to).Length:N0} bytes."));
        });
        return command;
    }
}
