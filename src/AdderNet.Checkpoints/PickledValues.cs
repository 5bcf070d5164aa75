namespace AdderNet.Checkpoints;

// What the restricted unpickler makes of a pickle, beside null, bool, long, BigInteger, double, string, byte[], object?[] for a tuple and
// List<object?> for a list. All of it is inert: nothing here has behaviour that a file could set off.

/// <summary>A dict or OrderedDict in insertion order; a later entry of the same key wins.</summary>
internal sealed class PickledDict
{
    public List<KeyValuePair<object?, object?>> Entries { get; } = [];

    public object? this[string key] => Entries.FindLast(entry => entry.Key is string name && name == key).Value;
}

/// <summary>A name that the pickle may mention: a function to rebuild a value, or a storage class.</summary>
/// <param name="Name">Module and name.</param>
/// <param name="Rebuild">Makes the value from the call's arguments; null where the name is not for calling.</param>
/// <param name="Dtype">Element type of a storage class.</param>
internal sealed record PickledGlobal(string Name, Func<object?[], object?>? Rebuild, TensorDtype? Dtype);

/// <summary>A run of elements that lies in the archive under a key; tensors are views of it.</summary>
internal sealed record PickledStorage(TensorDtype Dtype, string Key, long Count);

/// <summary>A view of a storage: offset and strides count elements.</summary>
internal sealed record PickledTensor(PickledStorage Storage, long Offset, long[] Shape, long[] Strides);
