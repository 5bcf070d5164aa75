namespace AdderNet.Checkpoints;

// What the pickle machine makes of a pickle, beside null, bool, long, BigInteger, double, string, byte[], object?[] for a tuple and
// List<object?> for a list. All of it is inert: nothing here has behaviour that a file could set off.

/// <summary>
/// A dict, or an object of whatever class: its class is a name and nothing more. Items that the pickle puts into it are kept in order, a
/// later one of the same key wins; so are the arguments it was made with and the state it was given.
/// </summary>
internal sealed class PickledObject(string type, params object?[] arguments)
{
    public const string Dict = "dict";

    private List<KeyValuePair<object?, object?>>? _entries;

    public string Type { get; } = type;

    /// <summary>Whether it is a NumPy array, by the name that makes one in NumPy 1 or in NumPy 2.</summary>
    public bool IsNumPyArray => Type is "numpy.core.multiarray._reconstruct" or "numpy._core.multiarray._reconstruct";

    public IReadOnlyList<object?> Arguments { get; } = arguments;

    /// <summary>What BUILD gave it: as a rule the dict of its attributes.</summary>
    public object? State { get; set; }

    public IReadOnlyList<KeyValuePair<object?, object?>> Entries => _entries ?? (IReadOnlyList<KeyValuePair<object?, object?>>)[];

    public object? this[string key] => _entries?.FindLast(entry => entry.Key is string name && name == key).Value;

    public void Add(object? key, object? value) => (_entries ??= []).Add(new(key, value));

    /// <summary>Its attributes: its state, of which a class with slots makes a pair.</summary>
    public PickledObject? Attributes => State switch
    {
        PickledObject state => state,
        object?[] and [PickledObject state, ..] => state,
        _ => null,
    };
}

/// <summary>A name that the pickle mentions: of a class or function. It is text; nothing is ever looked up by it.</summary>
/// <param name="Name">Module and name.</param>
internal sealed record PickledGlobal(string Name);

/// <summary>A run of elements that lies in the file under a key; tensors are views of it.</summary>
/// <param name="Type">The class's name, such as FloatStorage.</param>
/// <param name="Dtype">Its element type; null for one that is not read.</param>
/// <param name="ElementSize">Bytes of an element; 0 where it is not known.</param>
/// <param name="Key">Where it lies.</param>
/// <param name="Count">Elements.</param>
/// <param name="First">The element of what lies under the key at which it begins: old files had storages that are parts of others.</param>
internal sealed record PickledStorage(string Type, TensorDtype? Dtype, int ElementSize, string Key, long Count, long First);

/// <summary>A view of a storage of known element type: offset and strides count elements.</summary>
internal sealed record PickledTensor(PickledStorage Storage, long Offset, long[] Shape, long[] Strides)
{
    public TensorDtype Dtype => Storage.Dtype!.Value;
}

/// <summary>A tensor of a kind that is not read, such as a quantized one.</summary>
/// <param name="Kind">What it is, for messages.</param>
internal sealed record PickledUnreadable(string Kind);
