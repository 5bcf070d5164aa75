using System.Buffers.Binary;
using System.Text;

namespace AdderNet.Checkpoints;

/// <summary>Writes the data.pkl of a state dict: the opcodes that torch.save's pickle of an OrderedDict of tensors has.</summary>
internal static class StateDictPickle
{
    /// <summary>Pickles the tensors; the elements of the i-th are to lie in the archive under the key i.</summary>
    public static byte[] Write(OrderedDictionary<string, TensorData> tensors)
    {
        using MemoryStream pickle = new();
        pickle.Write([0x80, 2]);
        pickle.Write("ccollections\nOrderedDict\n)R("u8);
        for (int i = 0; i < tensors.Count; i++)
        {
            (string name, TensorData tensor) = tensors.GetAt(i);
            WriteText(pickle, name);
            pickle.Write("ctorch._utils\n_rebuild_tensor_v2\n(("u8);
            WriteText(pickle, "storage");
            pickle.Write(Encoding.ASCII.GetBytes($"ctorch\n{tensor.Dtype.PyTorchStorage()}\n"));
            WriteText(pickle, $"{i}");
            WriteText(pickle, "cpu");
            WriteNumber(pickle, tensor.Count);
            pickle.Write("tQK\0"u8); // tuple, persistent id, offset 0
            WriteTuple(pickle, tensor.Shape);
            WriteTuple(pickle, Strides(tensor.Shape));
            pickle.WriteByte(0x89); // requires_grad is False
            pickle.Write("ccollections\nOrderedDict\n)RtR"u8); // no backward hooks; then rebuild the tensor
        }
        pickle.Write("u."u8);
        return pickle.ToArray();
    }

    private static long[] Strides(ReadOnlySpan<long> shape)
    {
        long[] strides = new long[shape.Length];
        long stride = 1;
        for (int i = shape.Length - 1; i >= 0; i--)
        {
            strides[i] = stride;
            stride *= Math.Max(shape[i], 1);
        }
        return strides;
    }

    private static void WriteTuple(MemoryStream pickle, ReadOnlySpan<long> numbers)
    {
        pickle.WriteByte((byte)'(');
        foreach (long number in numbers) WriteNumber(pickle, number);
        pickle.WriteByte((byte)'t');
    }

    private static void WriteText(MemoryStream pickle, string text)
    {
        byte[] bytes = Encoding.UTF8.GetBytes(text);
        Span<byte> length = stackalloc byte[4];
        BinaryPrimitives.WriteInt32LittleEndian(length, bytes.Length);
        pickle.WriteByte((byte)'X');
        pickle.Write(length);
        pickle.Write(bytes);
    }

    private static void WriteNumber(MemoryStream pickle, long number)
    {
        Span<byte> bytes = stackalloc byte[8];
        BinaryPrimitives.WriteInt64LittleEndian(bytes, number);
        if (number is >= 0 and <= int.MaxValue)
        {
            pickle.WriteByte((byte)'J');
            pickle.Write(bytes[..4]);
        }
        else
        {
            pickle.Write([0x8a, 8]);
            pickle.Write(bytes);
        }
    }
}
