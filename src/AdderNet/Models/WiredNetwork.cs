using static TorchSharp.torch;
using Module = TorchSharp.torch.nn.Module<TorchSharp.torch.Tensor, TorchSharp.torch.Tensor>;

namespace AdderNet.Models;

/// <summary>How a <see cref="Wire"/> joins several inputs.</summary>
internal enum Join
{
    /// <summary>It has one input.</summary>
    None,

    /// <summary>Their sum.</summary>
    Sum,

    /// <summary>One behind another: channels of maps, elements of vectors.</summary>
    Concatenation,

    /// <summary>The first, a map, times the second, which has one factor a channel [N, C, 1, 1].</summary>
    Product,
}

/// <summary>A step of a <see cref="WiredNetwork"/>.</summary>
/// <param name="Name">What later steps call its output; "input" is the network's own input.</param>
/// <param name="Inputs">The steps it reads.</param>
/// <param name="Join">How several inputs are joined, before the layer.</param>
/// <param name="Layer">The layer; null where joining is all. Several steps may share one.</param>
/// <param name="LayerName">The layer's name in the state_dict, with dots; null for a layer without parameters.</param>
internal sealed record Wire(string Name, string[] Inputs, Join Join = Join.None, Module? Layer = null, string? LayerName = null);

/// <summary>
/// A network that is no chain, as a list of steps: layers over the outputs of earlier steps, the last of which is the network's. It is
/// described once, for the forward pass and for the graph.
/// </summary>
internal sealed class WiredNetwork : nn.Module<Tensor, Tensor>
{
    public const string InputName = "input";

    /// <param name="wires">The steps, each after those it reads.</param>
    public WiredNetwork(IReadOnlyList<Wire> wires)
        : base(nameof(WiredNetwork))
    {
        Wires = wires;
        Dictionary<string, nn.Module> groups = new() { [""] = this };
        foreach (Wire wire in wires.Where(w => w.LayerName is not null).DistinctBy(w => w.LayerName))
        {
            int dot = wire.LayerName!.LastIndexOf('.');
            Group(dot < 0 ? "" : wire.LayerName[..dot]).register_module(wire.LayerName[(dot + 1)..], wire.Layer!);
        }

        nn.Module Group(string path)
        {
            if (!groups.TryGetValue(path, out nn.Module? group))
            {
                int dot = path.LastIndexOf('.');
                group = new Grouped();
                groups[path] = group;
                Group(dot < 0 ? "" : path[..dot]).register_module(path[(dot + 1)..], group);
            }

            return group;
        }
    }

    /// <summary>The steps.</summary>
    public IReadOnlyList<Wire> Wires { get; }

    public override Tensor forward(Tensor input)
    {
        using var scope = NewDisposeScope();
        Dictionary<string, Tensor> values = new() { [InputName] = input };
        Tensor last = input;
        foreach (Wire wire in Wires)
        {
            Tensor[] inputs = [.. wire.Inputs.Select(name => values[name])];
            Tensor x = wire.Join switch
            {
                Join.Sum => inputs.Skip(1).Aggregate(inputs[0], (sum, next) => sum.Plus(next)),
                Join.Concatenation => cat(inputs, 1),
                Join.Product => inputs[0] * inputs[1],
                _ => inputs[0],
            };
            values[wire.Name] = last = wire.Layer?.call(x) ?? x;
        }

        return last.MoveToOuterDisposeScope();
    }

    /// <summary>Modules below one name.</summary>
    private sealed class Grouped() : nn.Module(nameof(Grouped));
}
