using System.Runtime.InteropServices;
using AdderNet.Checkpoints;
using Onnx;
using static Onnx.TensorProto.Types;

namespace AdderNet.Export;

/// <summary>The constants of an ONNX file: floats of any width as float32, integers as 64 bits.</summary>
internal static class OnnxTensors
{
    /// <exception cref="CheckpointException">It lies in another file, has another type, is damaged, or holds NaN.</exception>
    public static TensorData Read(TensorProto tensor, string what)
    {
        if (tensor.DataLocation == DataLocation.External || tensor.ExternalData.Count > 0)
        {
            throw new CheckpointException($"{what} lies in another file; export the model with all weights in one file.");
        }

        long[] shape = [.. tensor.Dims];
        TensorData read;
        try
        {
            read = (DataType)tensor.DataType switch
            {
                DataType.Float when tensor.HasRawData => new TensorData(TensorDtype.F32, shape, tensor.RawData.Memory),
                DataType.Float => TensorData.FromFloats([.. tensor.FloatData], shape),
                DataType.Double when !tensor.HasRawData => TensorData.FromFloats([.. tensor.DoubleData.Select(v => (float)v)], shape),
                DataType.Double => Floats(TensorDtype.F64),
                DataType.Float16 when tensor.HasRawData => Floats(TensorDtype.F16),
                DataType.Bfloat16 when tensor.HasRawData => Floats(TensorDtype.BF16),
                DataType.Int64 when tensor.HasRawData => new TensorData(TensorDtype.I64, shape, tensor.RawData.Memory),
                DataType.Int64 => Of([.. tensor.Int64Data], shape),
                DataType.Int32 when tensor.HasRawData => Of(
                    [.. MemoryMarshal.Cast<byte, int>(tensor.RawData.Span).ToArray().Select(v => (long)v)], shape),
                DataType.Int32 => Of([.. tensor.Int32Data.Select(v => (long)v)], shape),
                _ => throw new CheckpointException($"{what} has elements of type {(DataType)tensor.DataType}; floats and integers can be read."),
            };
        }
        catch (ArgumentException e)
        {
            throw new CheckpointException($"{what} has more or fewer elements than its sizes say: the file is damaged.", e);
        }

        read.RefuseNaN(what);
        return read;

        TensorData Floats(TensorDtype type) => TensorData.FromFloats(new TensorData(type, shape, tensor.RawData.Memory).ToFloats(), shape);
    }

    /// <summary>The elements of an integer tensor of at most one dimension; null for another.</summary>
    public static long[]? Integers(TensorData tensor) => tensor is { Dtype: TensorDtype.I64, Shape.Length: <= 1 }
        ? MemoryMarshal.Cast<byte, long>(tensor.Data.Span).ToArray()
        : null;

    /// <summary>Columns as rows.</summary>
    public static TensorData Transposed(TensorData matrix, OnnxNode call)
    {
        if (matrix.Shape is not [long height, long width])
        {
            throw call.Refused($"multiplies by {matrix}, no matrix");
        }

        float[] from = matrix.ToFloats(), to = new float[from.Length];
        for (int i = 0; i < to.Length; i++)
        {
            to[i] = from[i % height * width + i / height];
        }

        return TensorData.FromFloats(to, width, height);
    }

    private static TensorData Of(long[] values, long[] shape) => new(TensorDtype.I64, shape, MemoryMarshal.AsBytes<long>(values).ToArray());
}

/// <summary>The arithmetic of sizes that exporters write into a graph, as constants.</summary>
internal static class OnnxIntegers
{
    /// <summary>A node that reads constants alone, computed; null for an operator that is no arithmetic of sizes.</summary>
    public static OnnxValue? Compute(OnnxNode call)
    {
        if (call.Operator == "Constant")
        {
            return call.Constant is { } tensor
                ? OnnxValue.Of(OnnxTensors.Read(tensor, $"the constant '{CheckpointText.Shown(call.Output)}'"), call.Output)
                : call.Attribute("value_ints") is { } integers ? OnnxValue.Of([.. integers.Ints])
                : call.Attribute("value_int") is { } integer ? OnnxValue.Of([integer.I])
                : call.Attribute("value_float") is { } number ? OnnxValue.Of(TensorData.FromFloats([number.F]), call.Output)
                : null;
        }

        if (call.Inputs.Count == 0 || call.Inputs.Any(input => input.Integers is null && input != OnnxValue.None))
        {
            return null;
        }

        long[] first = call.Inputs[0].Integers ?? [];
        return call.Operator switch
        {
            "Cast" or "Squeeze" or "Unsqueeze" or "Identity" => OnnxValue.Of(first),
            "Concat" => OnnxValue.Of([.. call.Inputs.SelectMany(input => input.Integers ?? [])]),
            "Gather" when call.Inputs is [_, { Integers: { } indices }] =>
                OnnxValue.Of([.. indices.Select(i => Element(i < 0 ? i + first.Length : i))]),
            "Slice" when call.Inputs is [_, { Integers: [long start] }, { Integers: [long end] }, ..]
                && call.Inputs.ElementAtOrDefault(4)?.Integers is null or [1] =>
                OnnxValue.Of(first[Place(start)..Math.Max(Place(start), Place(end))]),
            _ => null,
        };

        long Element(long i) => i >= 0 && i < first.Length ? first[i] : throw call.Refused("reads beyond the end of a list of sizes");

        int Place(long at) => (int)Math.Clamp(at < 0 ? at + first.Length : at, 0, first.Length);
    }

    /// <summary>The sizes that a Reshape gives, its zeros and minus one worked out.</summary>
    public static long[] Resolve(OnnxNode call, long[] current)
    {
        long[] sizes = [.. (call.Inputs.ElementAtOrDefault(1)?.Integers ?? throw call.Refused("has no constant shape"))
            .Select((size, axis) => size == 0 && axis < current.Length ? current[axis] : size)];
        Int128 features = current.Skip(1).Aggregate((Int128)1, (product, size) => product * size);
        if (sizes.Length < 2 || sizes.Count(size => size == -1) > 1 || sizes.Skip(1).Any(size => size is < -1 or 0))
        {
            throw call.Refused($"gives sizes of [{string.Join(", ", sizes)}]");
        }

        Int128 named = sizes.Skip(1).Where(size => size != -1)
            .Aggregate((Int128)1, (product, size) => product > long.MaxValue ? product : product * size);
        if (sizes[0] == -1 ? named != features : features % named != 0)
        {
            throw call.Refused("mixes images");
        }

        // The batch may be there as such, as -1 or, in a model that was traced, as the number of images that it was traced with.
        return [OnnxValue.Batch, .. sizes.Skip(1).Select(size => size != -1 ? size : (long)(features / named))];
    }

    /// <summary>Sizes with ones put in.</summary>
    public static long[] Unsqueezed(long[] sizes, long[] axes)
    {
        List<long> result = [.. sizes];
        foreach (long axis in axes)
        {
            result.Insert((int)Math.Clamp(axis < 0 ? axis + sizes.Length + axes.Length : axis, 0, result.Count), 1);
        }

        return [.. result];
    }
}
