using static AdderNet.Checkpoints.CheckpointText;

namespace AdderNet.Checkpoints;

/// <summary>What the names in PyTorch's pickles mean: those that describe a tensor, and none else.</summary>
/// <remarks>Nothing here does what the functions of these names do in Python; their arguments are read and written down.</remarks>
internal static class TorchPickle
{
    // Classes of storages that other tensors than ours have: to skip them, a file without a directory needs the size of their elements.
    private static readonly Dictionary<string, int> OtherStorages = new()
    {
        ["ComplexFloatStorage"] = 8,
        ["ComplexDoubleStorage"] = 16,
        ["QInt8Storage"] = 1,
        ["QUInt8Storage"] = 1,
        ["QInt32Storage"] = 4,
        ["QUInt4x2Storage"] = 1,
        ["QUInt2x4Storage"] = 1,
        ["UntypedStorage"] = 1,
        ["_UntypedStorage"] = 1,
    };

    private static readonly Dictionary<string, TensorDtype> Storages =
        Enum.GetValues<TensorDtype>().ToDictionary(dtype => dtype.PyTorchStorage());

    /// <summary>What a call makes: a tensor or dictionary where its name is one that describes such, else an object of that name.</summary>
    public static object? Call(string name, object?[] arguments, string file, MemoryBudget budget)
    {
        switch (name)
        {
            case "collections.OrderedDict":
                return OrderedDict(arguments, file, budget);
            case "torch._utils._rebuild_tensor" or "torch._utils._rebuild_tensor_v2" or "torch._utils._rebuild_tensor_v3":
                // Storage, offset, size, stride, requires_grad, hooks, and in the third the element type; metadata.
                return Tensor(arguments, name.EndsWith("v3", StringComparison.Ordinal) ? arguments.ElementAtOrDefault(6) : null, budget)
                    ?? throw Damaged(file, $"its pickle has a call of {name} with arguments it does not take");
            case "torch._utils._rebuild_parameter" or "torch._utils._rebuild_parameter_with_state"
                or "torch.nn.parameter.Parameter" or "torch.nn.parameter.Buffer" or "torch.autograd.variable.Variable"
                when arguments is [PickledTensor or PickledUnreadable, ..]:
                return arguments[0];
            case "torch._tensor._rebuild_from_type_v2" or "torch._tensor._rebuild_from_type"
                when arguments is [PickledGlobal { Name: var rebuild }, _, object?[] inner, ..]:
                // A tensor with attributes, or of a derived class. One level only, so that nothing can nest.
                return rebuild.StartsWith("torch._utils.", StringComparison.Ordinal) ? Call(rebuild, inner, file, budget) : Unreadable(rebuild);
            case "torch.Size" when arguments is [object?[] sizes]:
                return sizes;
            case "copyreg._reconstructor" or "copy_reg._reconstructor" when arguments is [PickledGlobal type, ..]:
                return new PickledObject(type.Name); // how protocols 0 and 1 make an object
            default:
                return name.StartsWith("torch._utils._rebuild_", StringComparison.Ordinal) && name != "torch._utils._rebuild_parameter"
                    ? Unreadable(name)
                    : new PickledObject(name, arguments);
        }
    }

    // torch._utils._rebuild_qtensor and the like: quantized, sparse, nested, on a device without memory.
    private static PickledUnreadable Unreadable(string rebuild)
    {
        string kind = rebuild[(rebuild.LastIndexOf('.') + 1)..].Replace("_rebuild_", "", StringComparison.Ordinal);
        return new(kind switch { "qtensor" => "quantized", "sparse_tensor" or "sparse_csr_tensor" => "sparse", _ => Shown(kind) });
    }

    private static PickledObject OrderedDict(object?[] arguments, string file, MemoryBudget budget)
    {
        PickledObject dictionary = new(PickledObject.Dict);
        if (arguments is not [List<object?> pairs, ..]) return dictionary;
        foreach (object? pair in pairs)
        {
            budget.Take(2 * sizeof(long));
            (object? key, object? value) = pair switch
            {
                object?[] and [var k, var v] => (k, v),
                List<object?> and [var k, var v] => (k, v),
                _ => throw Damaged(file, "its pickle has a dictionary entry that is no pair"),
            };
            dictionary.Add(key, value);
        }
        return dictionary;
    }

    private static object? Tensor(object?[] arguments, object? dtype, MemoryBudget budget)
    {
        const int mostDimensions = 64;
        if (arguments is not [PickledStorage storage, long offset, var size, var stride, ..]) return null;
        if (Numbers(size) is not { } shape || Numbers(stride) is not { } strides || shape.Length != strides.Length
            || shape.Length > mostDimensions)
            return null;
        budget.Take(4 * sizeof(long) * shape.Length);
        if (dtype is PickledGlobal { Name: var typeName })
        {
            if (DtypeNamed(typeName) is not { } known) return new PickledUnreadable(Shown(typeName));
            // Its storage counts bytes.
            if (storage.Dtype is null)
                storage = storage with { Dtype = known, ElementSize = known.Size(), Count = storage.Count / known.Size() };
        }
        return storage.Dtype is null ? new PickledUnreadable(Shown(storage.Type)) : new PickledTensor(storage, offset, shape, strides);
    }

    private static long[]? Numbers(object? tuple)
    {
        IReadOnlyList<object?>? values = tuple switch { object?[] array => array, List<object?> list => list, _ => null };
        return values is not null && values.All(value => value is long) ? [.. values.Select(value => (long)value!)] : null;
    }

    private static TensorDtype? DtypeNamed(string name) => name switch
    {
        "torch.float16" or "torch.half" => TensorDtype.F16,
        "torch.bfloat16" => TensorDtype.BF16,
        "torch.float32" or "torch.float" => TensorDtype.F32,
        "torch.float64" or "torch.double" => TensorDtype.F64,
        "torch.int8" => TensorDtype.I8,
        "torch.uint8" => TensorDtype.U8,
        "torch.int16" => TensorDtype.I16,
        "torch.int32" => TensorDtype.I32,
        "torch.int64" => TensorDtype.I64,
        "torch.bool" => TensorDtype.Bool,
        _ => null,
    };

    /// <summary>
    /// What a persistent reference stands for. Two kinds matter: a storage, which tensors view, and a class with its source, which old files
    /// keep beside the name; the source is not even looked at.
    /// </summary>
    public static object? Refer(object? id) => id switch
    {
        object?[] and ["storage", PickledGlobal type, string or long, _, long and >= 0 and var count, .. var view] parts =>
            Storage(type.Name, parts[2]!.ToString()!, count, view),
        object?[] and ["module", PickledGlobal type, ..] => type,
        _ => new PickledObject("a reference to something outside", id),
    };

    private static PickledStorage Storage(string type, string key, long count, object?[] view)
    {
        string name = type[(type.LastIndexOf('.') + 1)..];
        long first = 0;
        // A part of another storage: (its key, first element, number of elements). The count before is that of the whole.
        if (view is [object?[] and [_, long and >= 0 and var start, long], ..]) first = start;
        return type.StartsWith("torch.", StringComparison.Ordinal) && Storages.TryGetValue(name, out TensorDtype dtype)
            ? new(name, dtype, dtype.Size(), key, count, first)
            : new(name, null, OtherStorages.GetValueOrDefault(name), key, count, first);
    }
}
