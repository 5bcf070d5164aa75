using TorchSharp;
using static TorchSharp.torch;
using Module = TorchSharp.torch.nn.Module<TorchSharp.torch.Tensor, TorchSharp.torch.Tensor>;

namespace AdderNet.Models;

/// <summary>Collects the steps of a <see cref="WiredNetwork"/>; each method returns the name of what its step gives.</summary>
internal sealed class NetBuilder
{
    private readonly List<Wire> wires = [];

    /// <summary>A layer whose name in the state_dict is the step's.</summary>
    public string Add(string name, Module layer, string input) => Shared(name, layer, name, input);

    /// <summary>A layer that other steps may have, too.</summary>
    /// <param name="name">The step.</param>
    /// <param name="layer">The layer.</param>
    /// <param name="layerName">The layer's name in the state_dict; null for a layer without parameters.</param>
    /// <param name="input">What it reads.</param>
    public string Shared(string name, Module layer, string? layerName, string input)
    {
        wires.Add(new Wire(name, [input], Layer: layer, LayerName: layerName));
        return name;
    }

    /// <summary>A layer without parameters.</summary>
    public string Function(string name, Module function, string input) => Shared(name, function, null, input);

    /// <summary>Several inputs as one.</summary>
    public string Join(string name, Join join, params string[] inputs)
    {
        wires.Add(new Wire(name, inputs, join));
        return name;
    }

    /// <summary>The network, whose output is the last step's.</summary>
    public WiredNetwork Build() => new(wires);
}
