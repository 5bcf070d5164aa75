using AdderNet.Models;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;
using Module = TorchSharp.torch.nn.Module<TorchSharp.torch.Tensor, TorchSharp.torch.Tensor>;

namespace AdderNet.Reproduction;

/// <summary>Variances around one layer, over all images, channels and pixels.</summary>
/// <param name="Name">The layer's name in its model.</param>
/// <param name="IsAdder">Whether it is an adder layer; else a convolution.</param>
/// <param name="Taps">Products or distances that an output sums up: channels times rows times columns of a filter.</param>
/// <param name="Input">Var[X].</param>
/// <param name="Filters">Var[F].</param>
/// <param name="Output">Var[Y], as it passes.</param>
/// <param name="NormalOutput">Var[Y] where the input is what the formulas suppose: independent, normal, of mean zero and of variance <paramref name="Input"/>.</param>
internal sealed record LayerVariance(string Name, bool IsAdder, long Taps, double Input, double Filters, double Output, double NormalOutput)
{
    /// <summary>
    /// The variance that the paper expects: k Var[X] Var[F] for a convolution (equation 7), (1 - 2/pi) k (Var[X] + Var[F]) for an adder
    /// layer (equation 8): the variance of |d| for a normal d of mean zero is 1 - 2/pi of that of d.
    /// </summary>
    public double Expected => IsAdder ? (1 - 2 / Math.PI) * Taps * (Input + Filters) : Taps * Input * Filters;
}

/// <summary>Euclidean norms of the loss's gradient at one layer's filters.</summary>
/// <param name="Name">The layer's name in its model.</param>
/// <param name="IsAdder">Whether it is an adder layer; else a convolution.</param>
/// <param name="Norm">As backward leaves it.</param>
/// <param name="Scaled">As the optimizer gets it.</param>
internal sealed record GradientNorm(string Name, bool IsAdder, double Norm, double Scaled);

/// <summary>Measures a model layer by layer, in training mode, where BatchNorm takes the batch's own statistics.</summary>
internal static class LayerMeasurements
{
    /// <summary>Variances as images pass through, in the order in which they reach the layers.</summary>
    /// <param name="model">The model; its BatchNorm averages change.</param>
    /// <param name="images">[N, C, H, W].</param>
    public static IReadOnlyList<LayerVariance> Variances(Module model, Tensor images)
    {
        List<LayerVariance> all = [];
        List<ForwardHook> hooks = [];
        // A layer is measured once more within its own hook.
        bool inside = false;
        try
        {
            foreach (var (name, layer) in Layers(model))
            {
                hooks.Add(new ForwardHook(layer, (x, y) =>
                {
                    if (!inside)
                    {
                        inside = true;
                        all.Add(Measure(name, layer, x, y));
                        inside = false;
                    }
                }));
            }

            using var scope = NewDisposeScope();
            using var guard = no_grad();
            model.train();
            model.call(images);
            return all;
        }
        finally
        {
            hooks.ForEach(h => h.Dispose());
        }
    }

    /// <summary>Gradient norms of one step, in the same order.</summary>
    /// <param name="model">The model; gradients that it has are forgotten.</param>
    /// <param name="images">[N, C, H, W].</param>
    /// <param name="labels">[N].</param>
    /// <param name="scaling">What the optimizer's step would be preceded by.</param>
    public static IReadOnlyList<GradientNorm> GradientNorms(Module model, Tensor images, Tensor labels, LearningRateScaling scaling)
    {
        using var scope = NewDisposeScope();
        model.train();
        model.zero_grad(true);
        List<(string Name, Module Layer)> layers = [];
        ForwardHook[] hooks = [.. Layers(model).Select(l => new ForwardHook(l.Layer, (_, _) => layers.Add(l)))];
        nn.functional.cross_entropy(model.call(images), labels).backward();
        Array.ForEach(hooks, h => h.Dispose());
        double[] plain = Norms();
        scaling.Apply(model);
        double[] scaled = Norms();
        return [.. layers.Select((l, i) => new GradientNorm(l.Name, l.Layer is Adder2d, plain[i], scaled[i]))];

        double[] Norms() => [.. layers.Select(l => (double)Filters(l.Layer).grad!.norm().item<float>())];
    }

    private static IEnumerable<(string Name, Module Layer)> Layers(Module model) =>
        model.named_modules().Where(m => m.module is Adder2d or Conv2d).Select(m => (m.name, (Module)m.module));

    private static LayerVariance Measure(string name, Module layer, Tensor x, Tensor y)
    {
        Tensor filters = Filters(layer);
        double input = Variance(x);
        // Some images are enough. The zeros of a padding are not what the formulas suppose either: outputs that see them are left out.
        Tensor normal = layer.call(randn([Math.Min(x.shape[0], 64), .. x.shape[1..]]).Times(Math.Sqrt(input)));
        long border = layer is Adder2d adder ? adder.Padding.H : ((Conv2d)layer).padding![0];
        Tensor inner = normal.narrow(2, border, normal.shape[2] - 2 * border).narrow(3, border, normal.shape[3] - 2 * border);
        return new LayerVariance(
            name, layer is Adder2d, filters.shape[1] * filters.shape[2] * filters.shape[3], input, Variance(filters), Variance(y), Variance(inner));
    }

    private static Parameter Filters(Module layer) => layer is Adder2d adder ? adder.Filters : ((Conv2d)layer).weight!;

    private static double Variance(Tensor t)
    {
        using var scope = NewDisposeScope();
        return t.detach().to_type(ScalarType.Float64).var(unbiased: false).item<double>();
    }
}
