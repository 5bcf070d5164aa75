using static TorchSharp.torch;

namespace AdderNet.Models;

/// <summary>relu(body(x) + shortcut(x)), or the sum alone. The body's layers are children of this module by their own names, as the official state_dict has them.</summary>
internal sealed class Residual : nn.Module<Tensor, Tensor>
{
    private readonly nn.Module<Tensor, Tensor>[] body;
    private readonly nn.Module<Tensor, Tensor>? downsample;
    private readonly bool relu;

    public Residual(IEnumerable<(string Name, nn.Module<Tensor, Tensor> Layer)> body, nn.Module<Tensor, Tensor>? downsample, bool relu)
        : base(nameof(Residual))
    {
        var layers = body.ToArray();
        this.body = [.. layers.Select(l => l.Layer)];
        (this.downsample, this.relu) = (downsample, relu);
        foreach (var (name, layer) in layers)
        {
            register_module(name, layer);
        }

        RegisterComponents();
    }

    /// <summary>The layers before the sum, the last a BatchNorm.</summary>
    public IReadOnlyList<nn.Module<Tensor, Tensor>> Body => body;

    /// <summary>What adapts the input to the body's output; null where it fits as it is.</summary>
    public nn.Module<Tensor, Tensor>? Downsample => downsample;

    /// <summary>Whether a ReLU follows the sum.</summary>
    public bool Relu => relu;

    public override Tensor forward(Tensor input)
    {
        using var scope = NewDisposeScope();
        Tensor x = input;
        foreach (nn.Module<Tensor, Tensor> layer in body)
        {
            x = layer.call(x); // Not forward, which hooks don't see.
        }

        x = x.Add(downsample?.call(input) ?? input);
        return (relu ? x.relu_() : x).MoveToOuterDisposeScope();
    }
}
