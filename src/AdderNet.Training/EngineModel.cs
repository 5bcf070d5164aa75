using System.Runtime.InteropServices;
using AdderNet.Graph;
using AdderNet.Inference;
using AdderNet.Models;
using static TorchSharp.torch;

namespace AdderNet.Training;

/// <summary>
/// A network in the engine, called with tensors: images [N, C, H, W] to scores [N, ...]. It computes on as many threads as libtorch would, and
/// gives the model's scores up to rounding.
/// </summary>
public sealed class EngineModel : nn.Module<Tensor, Tensor>
{
    private readonly nn.Module<Tensor, Tensor>? model;
#pragma warning disable CA2213 // Disposed in Dispose(bool), which the analyzer misses for a field that is replaced.
    private Engine? engine;
#pragma warning restore CA2213

    /// <summary>A copy of a model with the weights of this moment. Where the graph does not know one of its modules, it calls the model itself.</summary>
    /// <param name="model">A model in eval mode; it stays the caller's.</param>
    public EngineModel(nn.Module<Tensor, Tensor> model)
        : base(nameof(EngineModel))
    {
        // Not a child: disposing this must leave it alone.
        this.model = model;
        eval();
    }

    /// <summary>A network that is in the engine already, which is disposed with this.</summary>
    public EngineModel(Engine engine)
        : base(nameof(EngineModel))
    {
        this.engine = engine;
        eval();
    }

    /// <summary>The network; null before the first call of a copy of a model.</summary>
    public NetworkGraph? Graph => engine?.Graph;

    /// <summary>The scores of images.</summary>
    /// <param name="input">Images [N, C, H, W].</param>
    /// <exception cref="TrainingException">The network is for images of another size.</exception>
    public override Tensor forward(Tensor input)
    {
        if (input.dim() != 4)
        {
            throw new ArgumentException($"Images are [N, C, H, W], not [{string.Join(", ", input.shape)}].", nameof(input));
        }

        FeatureShape shape = new((int)input.shape[1], (int)input.shape[2], (int)input.shape[3]);
        if (model is null && engine!.InputShape != shape)
        {
            throw new TrainingException($"The network takes images of {engine.InputShape}, not of {shape}.");
        }

        if (engine is null || (model is not null && engine.InputShape != shape))
        {
            engine?.Dispose();
            engine = null;
            if (!TryRead(model!, shape, out NetworkGraph? graph))
            {
                return model!.call(input);
            }

            engine = new Engine(graph, get_num_threads());
        }

        using Tensor planes = input.contiguous();
        Tensor scores = empty([input.shape[0], .. engine.OutputShape.Sizes]);
        engine.Run(MemoryMarshal.Cast<byte, float>(planes.bytes), MemoryMarshal.Cast<byte, float>(scores.bytes));
        return scores;
    }

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            engine?.Dispose();
        }

        base.Dispose(disposing);
    }

    private static bool TryRead(nn.Module<Tensor, Tensor> model, FeatureShape shape, out NetworkGraph graph)
    {
        try
        {
            graph = model.ToGraph(shape);
            return true;
        }
        catch (GraphException)
        {
            graph = null!;
            return false;
        }
    }
}
