using System.Runtime.InteropServices;
using AdderNet.Checkpoints;
using AdderNet.Graph;
using Google.Protobuf;
using Onnx;
using static Onnx.AttributeProto.Types;

namespace AdderNet.Export;

/// <summary>Makers of the messages that an ONNX file is made of.</summary>
internal static class OnnxProtos
{
    /// <summary>The attribute of a function whose node takes it, by its name.</summary>
    public sealed record Reference(string Name, AttributeType Type);

    public static NodeProto Node(
        string operation, IEnumerable<string> inputs, string output, params ReadOnlySpan<(string Name, object Value)> attributes)
    {
        NodeProto node = new() { OpType = operation, Name = output, Input = { inputs }, Output = { output } };
        foreach ((string name, object value) in attributes)
        {
            node.Attribute.Add(Attribute(name, value));
        }

        return node;
    }

    public static TensorProto Tensor(string name, ReadOnlySpan<float> values, params ReadOnlySpan<long> shape) => new()
    {
        Name = name,
        DataType = (int)TensorProto.Types.DataType.Float,
        Dims = { shape.ToArray() },
        RawData = ByteString.CopyFrom(MemoryMarshal.AsBytes(values)),
    };

    public static TensorProto Tensor(string name, TensorData tensor, params ReadOnlySpan<long> shape) => tensor.Dtype == TensorDtype.F32
        ? new()
        {
            Name = name,
            DataType = (int)TensorProto.Types.DataType.Float,
            Dims = { shape.ToArray() },
            RawData = UnsafeByteOperations.UnsafeWrap(tensor.Data),
        }
        : Tensor(name, tensor.ToFloats(), shape);

    /// <summary>A value of so much for each of N images, or for one.</summary>
    public static ValueInfoProto Value(string name, FeatureShape shape, bool single = false)
    {
        TensorShapeProto.Types.Dimension images = single ? new() { DimValue = 1 } : new() { DimParam = "N" };
        TensorShapeProto sizes = new() { Dim = { images } };
        sizes.Dim.AddRange(shape.Sizes.Select(size => new TensorShapeProto.Types.Dimension { DimValue = size }));
        return new()
        {
            Name = name,
            Type = new() { TensorType = new() { ElemType = (int)TensorProto.Types.DataType.Float, Shape = sizes } },
        };
    }

    private static AttributeProto Attribute(string name, object value) => value switch
    {
        long number => new() { Name = name, Type = AttributeType.Int, I = number },
        int number => new() { Name = name, Type = AttributeType.Int, I = number },
        string text => new() { Name = name, Type = AttributeType.String, S = ByteString.CopyFromUtf8(text) },
        float number => new() { Name = name, Type = AttributeType.Float, F = number },
        long[] numbers => new() { Name = name, Type = AttributeType.Ints, Ints = { numbers } },
        GraphProto graph => new() { Name = name, Type = AttributeType.Graph, G = graph },
        Reference reference => new() { Name = name, Type = reference.Type, RefAttrName = reference.Name },
        _ => throw new ArgumentException($"{value.GetType()} is no attribute.", nameof(value)),
    };
}
