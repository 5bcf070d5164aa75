using TorchSharp;
using static TorchSharp.torch;

namespace AdderNet.Checkpoints;

/// <summary>Between TorchSharp's tensors and the tensors of files.</summary>
public static class TensorDataExtensions
{
    /// <summary>Copies a tensor's elements, whatever its device and strides.</summary>
    /// <param name="tensor">The tensor.</param>
    /// <returns>Its elements in row-major order.</returns>
    /// <exception cref="ArgumentException">Its elements are of a type that checkpoints do not hold, such as complex numbers.</exception>
    public static TensorData ToTensorData(this Tensor tensor)
    {
        ArgumentNullException.ThrowIfNull(tensor);
        TensorDtype dtype = Array.Find(Enum.GetValues<TensorDtype>(), known => known.ScalarType() == tensor.dtype);
        if (dtype.ScalarType() != tensor.dtype)
            throw new ArgumentException($"Checkpoints hold no tensors of type {tensor.dtype}.", nameof(tensor));
        using DisposeScope scope = NewDisposeScope();
        Tensor plain = tensor.detach().cpu().contiguous();
        return new(dtype, plain.shape, plain.numel() == 0 ? default : plain.bytes.ToArray());
    }

    /// <summary>Copies the elements into a new tensor in main memory.</summary>
    /// <param name="data">The elements.</param>
    /// <returns>The tensor, which the caller (or its dispose scope) owns.</returns>
    public static Tensor ToTensor(this TensorData data)
    {
        ArgumentNullException.ThrowIfNull(data);
        Tensor tensor = empty(data.Shape, dtype: data.Dtype.ScalarType());
        if (data.Count > 0) data.Data.Span.CopyTo(tensor.bytes);
        return tensor;
    }

    private static ScalarType ScalarType(this TensorDtype dtype) => dtype switch
    {
        TensorDtype.F16 => torch.ScalarType.Float16,
        TensorDtype.BF16 => torch.ScalarType.BFloat16,
        TensorDtype.F32 => torch.ScalarType.Float32,
        TensorDtype.F64 => torch.ScalarType.Float64,
        TensorDtype.I8 => torch.ScalarType.Int8,
        TensorDtype.U8 => torch.ScalarType.Byte,
        TensorDtype.I16 => torch.ScalarType.Int16,
        TensorDtype.I32 => torch.ScalarType.Int32,
        TensorDtype.I64 => torch.ScalarType.Int64,
        TensorDtype.Bool => torch.ScalarType.Bool,
        _ => throw new ArgumentOutOfRangeException(nameof(dtype), dtype, "Unknown element type."),
    };
}
