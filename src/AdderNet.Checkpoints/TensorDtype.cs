namespace AdderNet.Checkpoints;

/// <summary>The element types that checkpoints hold, by the names safetensors gives them.</summary>
public enum TensorDtype
{
    /// <summary>Half precision, IEEE 754 binary16.</summary>
    F16,

    /// <summary>Brain floating point: the upper half of an <see cref="F32"/>.</summary>
    BF16,

    /// <summary>Single precision.</summary>
    F32,

    /// <summary>Double precision.</summary>
    F64,

    /// <summary>Signed 8-bit integer.</summary>
    I8,

    /// <summary>Unsigned 8-bit integer.</summary>
    U8,

    /// <summary>Signed 16-bit integer.</summary>
    I16,

    /// <summary>Signed 32-bit integer.</summary>
    I32,

    /// <summary>Signed 64-bit integer.</summary>
    I64,

    /// <summary>One byte an element: zero is false, all else is true.</summary>
    Bool,
}

internal static class TensorDtypes
{
    /// <summary>Bytes of one element.</summary>
    public static int Size(this TensorDtype dtype) => dtype switch
    {
        TensorDtype.I8 or TensorDtype.U8 or TensorDtype.Bool => 1,
        TensorDtype.F16 or TensorDtype.BF16 or TensorDtype.I16 => 2,
        TensorDtype.F32 or TensorDtype.I32 => 4,
        TensorDtype.F64 or TensorDtype.I64 => 8,
        _ => throw new ArgumentOutOfRangeException(nameof(dtype), dtype, "Unknown element type."),
    };

    /// <summary>The name in a safetensors header.</summary>
    public static string SafetensorsName(this TensorDtype dtype) => dtype == TensorDtype.Bool ? "BOOL" : dtype.ToString();

    /// <summary>The class PyTorch pickles to name the element type.</summary>
    public static string PyTorchStorage(this TensorDtype dtype) => dtype switch
    {
        TensorDtype.F16 => "HalfStorage",
        TensorDtype.BF16 => "BFloat16Storage",
        TensorDtype.F32 => "FloatStorage",
        TensorDtype.F64 => "DoubleStorage",
        TensorDtype.I8 => "CharStorage",
        TensorDtype.U8 => "ByteStorage",
        TensorDtype.I16 => "ShortStorage",
        TensorDtype.I32 => "IntStorage",
        TensorDtype.I64 => "LongStorage",
        TensorDtype.Bool => "BoolStorage",
        _ => throw new ArgumentOutOfRangeException(nameof(dtype), dtype, "Unknown element type."),
    };

    /// <summary>
    /// Elements of a shape, or -1 where a size is negative or the product does not fit: sizes come from files that may be
    /// damaged or hostile.
    /// </summary>
    public static long ElementCount(ReadOnlySpan<long> shape)
    {
        long count = 1;
        bool empty = false;
        foreach (long size in shape)
        {
            if (size < 0) return -1;
            if (size == 0)
                empty = true;
            else if ((count = count <= long.MaxValue / size ? count * size : -1) < 0)
                return -1;
        }
        return empty ? 0 : count;
    }
}
