using AdderNet.Checkpoints;
using TorchSharp;
using static TorchSharp.torch;

namespace AdderNet.Training;

/// <summary>Named tensors of libtorch to and from files.</summary>
internal static class TensorStore
{
    public static TensorData ToData(Tensor tensor)
    {
        using var scope = NewDisposeScope();
        Tensor plain = tensor.detach().cpu().contiguous();
        return new TensorData(Dtype(plain.dtype), plain.shape, plain.bytes.ToArray());
    }

    /// <summary>Overwrites tensors with those of the same names.</summary>
    /// <exception cref="TrainingException">One is missing, unexpected, or of another type or shape.</exception>
    public static void CopyInto(IReadOnlyDictionary<string, Tensor> targets, IReadOnlyDictionary<string, TensorData> tensors, string source)
    {
        using var guard = no_grad();
        if (targets.Keys.FirstOrDefault(n => !tensors.ContainsKey(n)) is { } missing)
        {
            throw new TrainingException($"{source} is of another model: it has no '{missing}'.");
        }

        if (tensors.Keys.FirstOrDefault(n => !targets.ContainsKey(n)) is { } unexpected)
        {
            throw new TrainingException($"{source} is of another model, which has a '{unexpected}'.");
        }

        foreach ((string name, Tensor target) in targets)
        {
            TensorData data = tensors[name];
            if (!data.Shape.SequenceEqual(target.shape) || data.Dtype != Dtype(target.dtype))
            {
                throw new TrainingException(
                    $"{source} is of another model: its '{name}' is {data}, but the model's is {Dtype(target.dtype)} [{string.Join(", ", target.shape)}].");
            }

            using var scope = NewDisposeScope();
            Tensor copy = empty(target.shape, target.dtype);
            data.Data.Span.CopyTo(copy.bytes);
            target.copy_(copy);
        }
    }

    private static TensorDtype Dtype(ScalarType type) => type switch
    {
        ScalarType.Float32 => TensorDtype.F32,
        ScalarType.Float64 => TensorDtype.F64,
        ScalarType.Float16 => TensorDtype.F16,
        ScalarType.BFloat16 => TensorDtype.BF16,
        ScalarType.Int64 => TensorDtype.I64,
        ScalarType.Int32 => TensorDtype.I32,
        ScalarType.Int16 => TensorDtype.I16,
        ScalarType.Int8 => TensorDtype.I8,
        ScalarType.Byte => TensorDtype.U8,
        ScalarType.Bool => TensorDtype.Bool,
        _ => throw new TrainingException($"A model with {type} tensors can't be saved."),
    };
}
