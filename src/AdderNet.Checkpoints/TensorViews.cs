using static AdderNet.Checkpoints.CheckpointText;

namespace AdderNet.Checkpoints;

/// <summary>Where the storages of a PyTorch file lie.</summary>
internal interface IStorages : IDisposable
{
    /// <summary>The value that the file's pickle describes.</summary>
    object? ReadPickle();

    /// <summary>All that lies under a storage's key, little endian.</summary>
    /// <param name="storage">A storage that the pickle named.</param>
    /// <exception cref="CheckpointException">It is not there, or damaged.</exception>
    byte[] Read(PickledStorage storage);
}

/// <summary>Tensors as views of storages, which several may share: a slice, a transposed matrix, channels last.</summary>
internal sealed class TensorViews(IStorages storages, string file, MemoryBudget budget)
{
    private readonly Dictionary<string, byte[]> _read = [];

    /// <summary>Reads the elements that a tensor sees of its storage; without a copy where they lie in a row.</summary>
    public TensorData Read(PickledTensor tensor, string name)
    {
        (PickledStorage storage, long offset, long[] shape, long[] strides) = tensor;
        int size = storage.ElementSize;
        long count = TensorDtypes.ElementCount(shape);
        if (count < 0 || !Fits(tensor))
            throw Damaged(file, $"the tensor '{Shown(name)}' reaches outside its storage");
        if (count == 0) return new(tensor.Dtype, shape, default);
        byte[] data = Storage(storage, name);
        int first = (int)(storage.First + offset);
        if (IsContiguous(shape, strides)) return new(tensor.Dtype, shape, data.AsMemory(first * size, (int)count * size));
        if (count > Array.MaxLength / size) count = long.MaxValue / size; // more than any array: the budget says so
        budget.Take(count * size);
        return new(tensor.Dtype, shape, Gather(data, size, first, shape, strides, (int)count));
    }

    private byte[] Storage(PickledStorage storage, string tensor)
    {
        if (!_read.TryGetValue(storage.Key, out byte[]? data)) _read[storage.Key] = data = storages.Read(storage);
        if (data.Length % storage.ElementSize != 0 || data.Length / storage.ElementSize != storage.Count)
            throw Damaged(
                file, $"the storage of the tensor '{Shown(tensor)}' has {data.Length:N0} bytes, not {storage.Count:N0} elements");
        return data;
    }

    private static bool Fits(PickledTensor tensor)
    {
        Int128 last = (Int128)tensor.Storage.First + tensor.Offset;
        if (tensor.Offset < 0) return false;
        for (int i = 0; i < tensor.Shape.Length; i++)
        {
            if (tensor.Shape[i] == 0) return last <= tensor.Storage.Count;
            if (tensor.Strides[i] < 0) return false;
            last += (Int128)(tensor.Shape[i] - 1) * tensor.Strides[i];
        }
        return last < tensor.Storage.Count;
    }

    private static bool IsContiguous(long[] shape, long[] strides)
    {
        long expected = 1;
        for (int i = shape.Length - 1; i >= 0; i--)
        {
            if (shape[i] != 1 && strides[i] != expected) return false;
            expected *= shape[i];
        }
        return true;
    }

    private static byte[] Gather(byte[] source, int size, long first, long[] shape, long[] strides, int count)
    {
        byte[] gathered = new byte[count * size];
        long[] index = new long[shape.Length];
        long from = first;
        for (int i = 0; i < count; i++)
        {
            source.AsSpan((int)from * size, size).CopyTo(gathered.AsSpan(i * size));
            for (int d = shape.Length - 1; d >= 0; d--)
            {
                from += strides[d];
                if (++index[d] < shape[d]) break;
                from -= strides[d] * shape[d];
                index[d] = 0;
            }
        }
        return gathered;
    }
}
