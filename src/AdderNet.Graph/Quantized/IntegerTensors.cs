using System.Runtime.InteropServices;
using AdderNet.Checkpoints;

namespace AdderNet.Graph;

/// <summary>Tensors of integers.</summary>
public static class IntegerTensors
{
    /// <summary>A tensor holding a copy of unsigned bytes.</summary>
    public static TensorData Of(ReadOnlySpan<byte> values, params ReadOnlySpan<long> shape) => new(TensorDtype.U8, shape, values.ToArray());

    /// <summary>A tensor holding a copy of signed bytes.</summary>
    public static TensorData Of(ReadOnlySpan<sbyte> values, params ReadOnlySpan<long> shape) =>
        new(TensorDtype.I8, shape, MemoryMarshal.AsBytes(values).ToArray());

    /// <summary>A tensor holding a copy of 32-bit integers.</summary>
    public static TensorData Of(ReadOnlySpan<int> values, params ReadOnlySpan<long> shape) =>
        new(TensorDtype.I32, shape, MemoryMarshal.AsBytes(values).ToArray());

    /// <summary>A tensor holding a copy of 64-bit integers.</summary>
    public static TensorData Of(ReadOnlySpan<long> values, params ReadOnlySpan<long> shape) =>
        new(TensorDtype.I64, shape, MemoryMarshal.AsBytes(values).ToArray());

    /// <summary>The elements of a tensor of signed or unsigned bytes or 32-bit integers, in row-major order.</summary>
    /// <exception cref="ArgumentException">Its elements are of another type.</exception>
    public static int[] ToInt32s(this TensorData tensor)
    {
        ArgumentNullException.ThrowIfNull(tensor);
        return tensor.Dtype switch
        {
            TensorDtype.U8 => Array.ConvertAll(tensor.Data.ToArray(), v => (int)v),
            TensorDtype.I8 => Array.ConvertAll(tensor.Data.ToArray(), v => (int)(sbyte)v),
            TensorDtype.I32 => MemoryMarshal.Cast<byte, int>(tensor.Data.Span).ToArray(),
            _ => throw new ArgumentException($"{tensor} has no elements of 8 or 32 bits.", nameof(tensor)),
        };
    }

    /// <summary>The elements of a tensor of 64-bit integers, in row-major order.</summary>
    /// <exception cref="ArgumentException">Its elements are of another type.</exception>
    public static long[] ToInt64s(this TensorData tensor)
    {
        ArgumentNullException.ThrowIfNull(tensor);
        return tensor.Dtype == TensorDtype.I64
            ? MemoryMarshal.Cast<byte, long>(tensor.Data.Span).ToArray()
            : throw new ArgumentException($"{tensor} has no elements of 64 bits.", nameof(tensor));
    }

    internal static void Check(TensorData tensor, TensorDtype dtype, string name, params ReadOnlySpan<long> shape)
    {
        GraphNode.Check(tensor, name, shape);
        if (tensor.Dtype != dtype)
        {
            throw new GraphException($"its {name} is {tensor}, not {dtype}");
        }
    }
}
