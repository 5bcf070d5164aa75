using System.Runtime.InteropServices;
using Google.Protobuf;

namespace AdderNet.Bench;

/// <summary>
/// Writes the small ONNX files that ONNX Runtime is timed on: nodes, weights, one input and one output. Fields by the numbers that onnx.proto
/// gives them.
/// </summary>
internal sealed class OnnxModel
{
    private const int Opset = 17;

    private readonly List<byte[]> nodes = [], weights = [];
    private int names;

    /// <summary>Element types as TensorProto numbers them.</summary>
    public enum Type
    {
        Float = 1,
        UInt8 = 2,
        Int8 = 3,
        Int32 = 6,
    }

    /// <summary>Adds a constant tensor; an empty shape is a single number.</summary>
    /// <returns>Its name.</returns>
    public string Weight<T>(ReadOnlySpan<T> values, params ReadOnlySpan<long> shape)
        where T : unmanaged
    {
        string name = $"w{names++}";
        Type type = default(T) switch
        {
            float => Type.Float,
            byte => Type.UInt8,
            sbyte => Type.Int8,
            _ => Type.Int32,
        };
        byte[] raw = MemoryMarshal.AsBytes(values).ToArray();
        long[] sizes = shape.ToArray();
        weights.Add(Message(m =>
        {
            foreach (long size in sizes)
            {
                Number(m, 1, size);
            }

            Number(m, 2, (int)type);
            Text(m, 8, name);
            Field(m, 9, raw);
        }));
        return name;
    }

    /// <summary>Adds a node of one output.</summary>
    /// <returns>The output's name.</returns>
    public string Node(string operation, string[] inputs, (string Name, object Value)[]? attributes = null, string domain = "")
    {
        string output = $"v{names++}";
        nodes.Add(Message(m =>
        {
            foreach (string input in inputs)
            {
                Text(m, 1, input);
            }

            Text(m, 2, output);
            Text(m, 4, operation);
            foreach ((string name, object value) in attributes ?? [])
            {
                Field(m, 5, Message(a => Attribute(a, name, value)));
            }

            Text(m, 7, domain);
        }));
        return output;
    }

    /// <summary>The file.</summary>
    /// <param name="input">Name and shape of the input, floats unless said otherwise.</param>
    /// <param name="output">The node's output that is the model's.</param>
    /// <param name="inputType">The input's type.</param>
    /// <param name="outputType">The output's type.</param>
    public byte[] ToBytes((string Name, long[] Shape) input, string output, Type inputType = Type.Float, Type outputType = Type.Float) =>
        Message(model =>
        {
            Number(model, 1, 8);
            Field(model, 7, Message(graph =>
            {
                nodes.ForEach(node => Field(graph, 1, node));
                Text(graph, 2, "bench");
                weights.ForEach(weight => Field(graph, 5, weight));
                Field(graph, 11, Value(input.Name, inputType, input.Shape));
                Field(graph, 12, Value(output, outputType, null));
            }));
            Field(model, 8, Message(m => Number(m, 2, Opset)));
            Field(model, 8, Message(m =>
            {
                Text(m, 1, "com.microsoft");
                Number(m, 2, 1);
            }));
        });

    private static void Attribute(Stream a, string name, object value)
    {
        Text(a, 1, name);
        switch (value)
        {
            case long number:
                Number(a, 3, number);
                Number(a, 20, 2);
                break;
            case long[] numbers:
                foreach (long number in numbers)
                {
                    Number(a, 8, number);
                }

                Number(a, 20, 7);
                break;
            default:
                throw new ArgumentException($"{value} is no attribute that the benchmarks write.");
        }
    }

    private static byte[] Value(string name, Type type, long[]? shape) => Message(v =>
    {
        Text(v, 1, name);
        Field(v, 2, Message(t => Field(t, 1, Message(tensor =>
        {
            Number(tensor, 1, (int)type);
            if (shape is not null)
            {
                Field(tensor, 2, Message(s =>
                {
                    foreach (long size in shape)
                    {
                        Field(s, 1, Message(d => Number(d, 1, size)));
                    }
                }));
            }
        }))));
    });

    private static byte[] Message(Action<Stream> write)
    {
        using MemoryStream stream = new();
        write(stream);
        return stream.ToArray();
    }

    private static void Number(Stream to, int field, long value) => Write(to, w =>
    {
        w.WriteTag(field, WireFormat.WireType.Varint);
        w.WriteInt64(value);
    });

    private static void Text(Stream to, int field, string value)
    {
        if (value.Length > 0)
        {
            Write(to, w =>
            {
                w.WriteTag(field, WireFormat.WireType.LengthDelimited);
                w.WriteString(value);
            });
        }
    }

    private static void Field(Stream to, int field, byte[] value) => Write(to, w =>
    {
        w.WriteTag(field, WireFormat.WireType.LengthDelimited);
        w.WriteBytes(UnsafeByteOperations.UnsafeWrap(value));
    });

    private static void Write(Stream to, Action<CodedOutputStream> write)
    {
        using CodedOutputStream coded = new(to, leaveOpen: true);
        write(coded);
    }
}
