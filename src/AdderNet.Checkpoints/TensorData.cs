using System.Numerics;
using System.Runtime.InteropServices;

namespace AdderNet.Checkpoints;

/// <summary>
/// A tensor as files hold it: element type, shape, and the elements in row-major order, little endian. It knows nothing of
/// libtorch, so checkpoints can be read, checked and converted without it.
/// </summary>
public sealed class TensorData
{
    private readonly long[] _shape;

    /// <summary>Describes bytes as a tensor; they are not copied.</summary>
    /// <param name="dtype">Element type.</param>
    /// <param name="shape">Size of each dimension; empty for a single number.</param>
    /// <param name="data">The elements, row-major and contiguous, little endian.</param>
    /// <exception cref="ArgumentException">The bytes are not as many as the shape asks for.</exception>
    public TensorData(TensorDtype dtype, ReadOnlySpan<long> shape, ReadOnlyMemory<byte> data)
    {
        long count = TensorDtypes.ElementCount(shape);
        if (count < 0 || data.Length % dtype.Size() != 0 || data.Length / dtype.Size() != count)
            throw new ArgumentException($"A {dtype} tensor [{string.Join(", ", shape.ToArray())}] cannot be {data.Length} bytes.");
        Dtype = dtype;
        _shape = shape.ToArray();
        Data = data;
    }

    /// <summary>Element type.</summary>
    public TensorDtype Dtype { get; }

    /// <summary>Size of each dimension; empty for a single number.</summary>
    public ReadOnlySpan<long> Shape => _shape;

    /// <summary>Number of elements.</summary>
    public int Count => Data.Length / Dtype.Size();

    /// <summary>The elements, row-major and contiguous, little endian.</summary>
    public ReadOnlyMemory<byte> Data { get; }

    /// <summary>A float32 tensor holding a copy of these values.</summary>
    /// <param name="values">The elements in row-major order.</param>
    /// <param name="shape">Size of each dimension; empty for a single number.</param>
    /// <returns>The tensor.</returns>
    /// <exception cref="ArgumentException">The values are not as many as the shape asks for.</exception>
    public static TensorData FromFloats(ReadOnlySpan<float> values, params ReadOnlySpan<long> shape) =>
        new(TensorDtype.F32, shape, MemoryMarshal.AsBytes(values).ToArray());

    /// <summary>The elements as float32; wider types are rounded, booleans become 0 and 1.</summary>
    /// <returns>A new array of <see cref="Count"/> elements in row-major order.</returns>
    public float[] ToFloats() => Dtype switch
    {
        TensorDtype.F16 => Convert<Half>(),
        TensorDtype.BF16 => Array.ConvertAll(Cast<ushort>().ToArray(), bits => BitConverter.UInt32BitsToSingle((uint)bits << 16)),
        TensorDtype.F32 => Convert<float>(),
        TensorDtype.F64 => Convert<double>(),
        TensorDtype.I8 => Convert<sbyte>(),
        TensorDtype.U8 => Convert<byte>(),
        TensorDtype.I16 => Convert<short>(),
        TensorDtype.I32 => Convert<int>(),
        TensorDtype.I64 => Convert<long>(),
        _ => Array.ConvertAll(Data.ToArray(), b => b == 0 ? 0f : 1f),
    };

    /// <summary>Element type and shape, for example <c>F32 [16, 3, 3, 3]</c>.</summary>
    /// <returns>The text.</returns>
    public override string ToString() => $"{Dtype} {ShapeText}";

    /// <summary>
    /// Refuses weights of a training that had failed before it saved them: one NaN makes every result NaN, and a network would be used so without
    /// a word. Infinity is let through: it may be a bound, or a variance that turns a channel off.
    /// </summary>
    /// <param name="what">What the message calls the tensor and its file.</param>
    /// <exception cref="CheckpointException">An element is NaN.</exception>
    internal void RefuseNaN(string what)
    {
        if (HoldsNaN())
            throw new CheckpointException($"{what} holds NaN, not numbers: its training had failed when it was saved. Take a checkpoint from before.");
    }

    internal string ShapeText => $"[{string.Join(", ", _shape)}]";

    private bool HoldsNaN() => Dtype switch
    {
        TensorDtype.F16 => HoldsNaN<Half>(),
        TensorDtype.BF16 => Array.Exists(ToFloats(), float.IsNaN),
        TensorDtype.F32 => HoldsNaN<float>(),
        TensorDtype.F64 => HoldsNaN<double>(),
        _ => false,
    };

    private bool HoldsNaN<T>()
        where T : unmanaged, INumberBase<T>
    {
        foreach (T value in Cast<T>())
            if (T.IsNaN(value)) return true;
        return false;
    }

    private float[] Convert<T>()
        where T : unmanaged, INumberBase<T>
    {
        ReadOnlySpan<T> values = Cast<T>();
        float[] floats = new float[values.Length];
        for (int i = 0; i < floats.Length; i++) floats[i] = float.CreateTruncating(values[i]);
        return floats;
    }

    private ReadOnlySpan<T> Cast<T>()
        where T : unmanaged => MemoryMarshal.Cast<byte, T>(Data.Span);
}
