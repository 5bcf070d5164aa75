using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace AdderNet.Models;

/// <summary>
/// Counts a model's parameters and operations as the paper's tables do: a convolution's output element costs k multiplications and k
/// additions, an adder layer's 2k additions, a binary layer's k XNORs and k additions, where k is the elements of a filter (padding included, biases and BatchNorm not: BatchNorm
/// folds into a scale and a shift at inference).
/// </summary>
public sealed record ModelSummary(IReadOnlyList<LayerSummary> Layers)
{
    /// <summary>Learned values of all layers.</summary>
    public long Parameters => Layers.Sum(l => l.Parameters);

    /// <summary>Multiplications for an image.</summary>
    public long Multiplications => Layers.Sum(l => l.Multiplications);

    /// <summary>Additions for an image.</summary>
    public long Additions => Layers.Sum(l => l.Additions);

    /// <summary>XNORs for an image.</summary>
    public long Xnors => Layers.Sum(l => l.Xnors);

    /// <summary>Describes one of <see cref="AdderNetModels"/> for images of its usual size.</summary>
    /// <param name="name">A name from <see cref="AdderNetModels.All"/>.</param>
    /// <param name="kind">What the inner layers are made of.</param>
    /// <param name="classes">Outputs; the model's usual number by default.</param>
    /// <param name="inputChannels">Channels of the input; the model's usual number by default.</param>
    /// <exception cref="ArgumentException">The name is unknown, or classes or channels are below 1.</exception>
    public static ModelSummary Of(string name, LayerKind kind = LayerKind.Adder, int? classes = null, int? inputChannels = null)
    {
        ModelInfo info = AdderNetModels.Find(name);
        using var model = AdderNetModels.Create(name, kind, classes, inputChannels);
        return Describe(model, inputChannels ?? info.InputChannels, info.InputSize, info.InputSize);
    }

    /// <summary>Runs one blank image through a model and notes every layer it passes, in order.</summary>
    /// <param name="model">Any TorchSharp model; each of its modules is put back into the mode it was in.</param>
    /// <param name="inputShape">Channels, rows and columns of the image.</param>
    /// <exception cref="ArgumentException">The shape is not three positive sizes.</exception>
    public static ModelSummary Describe(nn.Module<Tensor, Tensor> model, params long[] inputShape)
    {
        ArgumentNullException.ThrowIfNull(model);
        if (inputShape is not [> 0, > 0, > 0])
        {
            throw new ArgumentException($"A picture's shape is channels, rows and columns, not [{string.Join(", ", inputShape)}].");
        }

        var layers = new List<LayerSummary>();
        List<Action> unhook = [.. model.named_modules()
            .Where(m => m.module is nn.Module<Tensor, Tensor> && !m.module.children().Any())
            .Select(m => Hook(m.name, (nn.Module<Tensor, Tensor>)m.module, layers))];
        ModuleModes modes = ModuleModes.Evaluate(model);
        try
        {
            using var scope = NewDisposeScope();
            using var guard = no_grad();
            model.forward(zeros([1, .. inputShape]));
        }
        finally
        {
            modes.Restore();
            unhook.ForEach(remove => remove());
        }

        return new ModelSummary(layers);
    }

    private static Action Hook(string name, nn.Module<Tensor, Tensor> layer, List<LayerSummary> layers)
    {
        return layer.register_forward_hook((_, _, output) =>
        {
            layers.Add(Summarize(name, layer, output));
            return output;
        }).remove;
    }

    private static LayerSummary Summarize(string name, nn.Module layer, Tensor output)
    {
        long elements = output.numel() / output.shape[0];
        long products = layer switch
        {
            Conv2d conv => elements * Elements(conv.weight!) / conv.weight!.shape[0],
            Linear linear => elements * linear.weight!.shape[1],
            _ => 0,
        };
        long differences = layer is Adder2d adder ? elements * Elements(adder.Filters) / adder.Filters.shape[0] : 0;
        long xnors = layer is BinaryConv2d binary ? elements * Elements(binary.Weight) / binary.Weight.shape[0] : 0;
        return new LayerSummary(
            name, layer.GetType().Name, output.shape[1..], layer.parameters().Sum(Elements), products, products + 2 * differences + xnors, xnors);
    }

    private static long Elements(Tensor t) => t.numel();
}
