using System.Text;
using static AdderNet.Checkpoints.CheckpointText;

namespace AdderNet.Checkpoints;

/// <summary>
/// What TorchSharp's <c>Module.save</c> writes: the number of tensors; then for each its name, element type, shape and bare elements.
/// Numbers are of seven bits a byte, the least significant first. It has no signature, so its first entry has to make sense.
/// </summary>
internal static class TorchSharpFile
{
    private const int MostTensors = 1 << 20, MostDimensions = 16, LongestName = 1024;

    /// <summary>Whether a file that starts so can be one.</summary>
    public static bool Recognises(ReadOnlySpan<byte> start)
    {
        using BinaryReader reader = new(new MemoryStream(start.ToArray()));
        try
        {
            long tensors = reader.Read7BitEncodedInt64();
            string name = Name(reader);
            (_, long[] shape) = Header(reader);
            return tensors is > 0 and < MostTensors && name.Length > 0 && TensorDtypes.ElementCount(shape) >= 0
                && name.All(c => char.IsLetterOrDigit(c) || c is '.' or '_' or '-');
        }
        catch (Exception e) when (e is EndOfStreamException or FormatException or InvalidDataException)
        {
            return false;
        }
    }

    public static TensorFile Read(Stream stream, string file)
    {
        using BinaryReader reader = new(stream, Encoding.UTF8, leaveOpen: true);
        OrderedDictionary<string, TensorData> tensors = [];
        Dictionary<string, string> unread = [];
        try
        {
            for (long left = reader.Read7BitEncodedInt64(); left > 0; left--)
            {
                string name = Name(reader);
                (ElementType type, long[] shape) = Header(reader);
                long count = TensorDtypes.ElementCount(shape);
                if (count < 0 || count > (stream.Length - stream.Position) / type.Size) throw CutOff(file, stream.Length);
                if (type.Dtype is { } dtype && count <= Array.MaxLength / type.Size)
                {
                    tensors[name] = new(dtype, shape, reader.ReadBytes((int)count * type.Size));
                    continue;
                }
                unread[name] = type.Dtype is null ? $"a tensor of {type.Name}" : "a tensor above 2 GB";
                stream.Position += count * type.Size;
            }
        }
        catch (EndOfStreamException e)
        {
            throw CutOff(file, stream.Length, e);
        }
        catch (Exception e) when (e is FormatException or InvalidDataException)
        {
            throw Damaged(file, "it begins as TorchSharp's Module.save writes files, but does not go on so", e);
        }
        if (stream.Position != stream.Length)
            throw Damaged(file, "it begins as TorchSharp's Module.save writes files, but has more than the tensors it announces");
        return StateDictNames.WithoutPrefixes(new(tensors, CheckpointFiles.NoMetadata)
        {
            Unread = unread,
            Notes = CheckpointFiles.UnreadNote(file, unread),
        });
    }

    private readonly record struct ElementType(string Name, int Size, TensorDtype? Dtype);

    private static string Name(BinaryReader reader)
    {
        int length = reader.Read7BitEncodedInt();
        if (length is <= 0 or > LongestName) throw new InvalidDataException();
        byte[] name = reader.ReadBytes(length);
        return name.Length == length ? Encoding.UTF8.GetString(name) : throw new EndOfStreamException();
    }

    private static (ElementType Type, long[] Shape) Header(BinaryReader reader)
    {
        // The numbers are those of torch::ScalarType.
        ElementType type = reader.Read7BitEncodedInt64() switch
        {
            0 => new("uint8", 1, TensorDtype.U8),
            1 => new("int8", 1, TensorDtype.I8),
            2 => new("int16", 2, TensorDtype.I16),
            3 => new("int32", 4, TensorDtype.I32),
            4 => new("int64", 8, TensorDtype.I64),
            5 => new("float16", 2, TensorDtype.F16),
            6 => new("float32", 4, TensorDtype.F32),
            7 => new("float64", 8, TensorDtype.F64),
            8 => new("complex32", 4, null),
            9 => new("complex64", 8, null),
            10 => new("complex128", 16, null),
            11 => new("bool", 1, TensorDtype.Bool),
            15 => new("bfloat16", 2, TensorDtype.BF16),
            _ => throw new InvalidDataException(),
        };
        long dimensions = reader.Read7BitEncodedInt64();
        if (dimensions is < 0 or > MostDimensions) throw new InvalidDataException();
        long[] shape = new long[dimensions];
        for (int i = 0; i < shape.Length; i++) shape[i] = reader.Read7BitEncodedInt64();
        return (type, shape);
    }
}
