using System.Buffers.Binary;
using System.Numerics;
using System.Text;
using static AdderNet.Checkpoints.CheckpointText;

namespace AdderNet.Checkpoints;

/// <summary>
/// Reads the pickles (protocols 2 to 5) that torch.save makes of state dicts. A pickle is a program; this one can build tensors,
/// dictionaries, lists, tuples, text and numbers, and whatever else it names is refused, by that name, before anything happens.
/// Nothing is called but the few functions below, nothing recurses, and every byte allocated counts against a budget.
/// </summary>
internal sealed class RestrictedUnpickler(byte[] pickle, string file, MemoryBudget budget)
{
    // An opcode may cost a list node, a boxed number or an empty collection, and its share of growing lists.
    private const int CostOfOpcode = 96;

    private readonly List<object?> _stack = [];
    private readonly List<int> _marks = [];
    private readonly Dictionary<long, object?> _memo = [];
    private int _position;

    /// <summary>Runs the pickle.</summary>
    /// <returns>The value it leaves.</returns>
    /// <exception cref="CheckpointException">It is damaged, or asks for anything but data.</exception>
    public object? Load()
    {
        if (pickle is not [0x80, >= 2 and <= 5, ..])
            throw Damaged(file, "its data.pkl is not a pickle of protocol 2 to 5");
        while (true)
        {
            budget.Take(CostOfOpcode);
            byte opcode = Bytes(1)[0];
            if (opcode == '.') return Pop();
            Run(opcode);
        }
    }

    private void Run(byte opcode)
    {
        switch (opcode)
        {
            case 0x80: // PROTO
                Bytes(1);
                break;
            case 0x95: // FRAME: a hint for reading ahead
                Bytes(8);
                break;

            case (byte)'(': // MARK
                _marks.Add(_stack.Count);
                break;
            case (byte)'0': // POP
                Pop();
                break;
            case (byte)'1': // POP_MARK
                PopToMark();
                break;
            case (byte)'2': // DUP
                Push(Top());
                break;

            case (byte)'q': // BINPUT
                _memo[Bytes(1)[0]] = Top();
                break;
            case (byte)'r': // LONG_BINPUT
                _memo[UInt32()] = Top();
                break;
            case 0x94: // MEMOIZE
                _memo[_memo.Count] = Top();
                break;
            case (byte)'h': // BINGET
                Push(Remembered(Bytes(1)[0]));
                break;
            case (byte)'j': // LONG_BINGET
                Push(Remembered(UInt32()));
                break;

            case (byte)'N': // NONE
                Push(null);
                break;
            case 0x88: // NEWTRUE
                Push(true);
                break;
            case 0x89: // NEWFALSE
                Push(false);
                break;
            case (byte)'K': // BININT1
                Push((long)Bytes(1)[0]);
                break;
            case (byte)'M': // BININT2
                Push((long)BinaryPrimitives.ReadUInt16LittleEndian(Bytes(2)));
                break;
            case (byte)'J': // BININT
                Push((long)BinaryPrimitives.ReadInt32LittleEndian(Bytes(4)));
                break;
            case 0x8a: // LONG1
                Push(Long(Bytes(1)[0]));
                break;
            case 0x8b: // LONG4
                Push(Long(UInt32()));
                break;
            case (byte)'G': // BINFLOAT
                Push(BinaryPrimitives.ReadDoubleBigEndian(Bytes(8)));
                break;

            case (byte)'U': // SHORT_BINSTRING: a string of Python 2
                Push(Text(Bytes(1)[0]));
                break;
            case (byte)'T': // BINSTRING
                Push(Text(UInt32()));
                break;
            case 0x8c: // SHORT_BINUNICODE
                Push(Text(Bytes(1)[0]));
                break;
            case (byte)'X': // BINUNICODE
                Push(Text(UInt32()));
                break;
            case 0x8d: // BINUNICODE8
                Push(Text(UInt64()));
                break;
            case (byte)'C': // SHORT_BINBYTES
                Push(CopyOf(Bytes(1)[0]));
                break;
            case (byte)'B': // BINBYTES
                Push(CopyOf(UInt32()));
                break;
            case 0x8e: // BINBYTES8
                Push(CopyOf(UInt64()));
                break;

            case (byte)')': // EMPTY_TUPLE
                Push(Array.Empty<object?>());
                break;
            case 0x85: // TUPLE1
                Push(PopLast(1));
                break;
            case 0x86: // TUPLE2
                Push(PopLast(2));
                break;
            case 0x87: // TUPLE3
                Push(PopLast(3));
                break;
            case (byte)'t': // TUPLE
                Push(PopToMark());
                break;
            case (byte)']': // EMPTY_LIST
                Push(new List<object?>());
                break;
            case (byte)'l': // LIST
                Push(new List<object?>(PopToMark()));
                break;
            case (byte)'a': // APPEND
                Append([Pop()]);
                break;
            case (byte)'e': // APPENDS
                Append(PopToMark());
                break;
            case (byte)'}': // EMPTY_DICT
                Push(new PickledDict());
                break;
            case (byte)'d': // DICT
                object?[] items = PopToMark();
                Push(new PickledDict());
                SetItems(items);
                break;
            case (byte)'s': // SETITEM
                SetItems(PopLast(2));
                break;
            case (byte)'u': // SETITEMS
                SetItems(PopToMark());
                break;

            case (byte)'c': // GLOBAL
                string module = Line(), name = Line();
                Push(Global(module, name));
                break;
            case 0x93: // STACK_GLOBAL
                if (PopLast(2) is not [string stackModule, string stackName]) throw Broken("a name that is no text");
                Push(Global(stackModule, stackName));
                break;
            case (byte)'R': // REDUCE
            case 0x81: // NEWOBJ
                Call(PopLast(2));
                break;
            case (byte)'i': // INST: call of a name, in one
                PickledGlobal callee = Global(Line(), Line());
                Call([callee, PopToMark()]);
                break;
            case (byte)'o': // OBJ: callee and arguments after a mark
                if (PopToMark() is not [PickledGlobal type, .. object?[] arguments]) throw Broken("an object without a class");
                Call([type, arguments]);
                break;
            case (byte)'b': // BUILD: attributes of an OrderedDict, such as a state dict's _metadata, which say nothing we need
                if (Pop() is not PickledDict || Top() is not PickledDict)
                    throw Refused("sets attributes of something other than a dictionary");
                break;
            case (byte)'Q': // BINPERSID
                Push(Storage(Pop()));
                break;

            default:
                throw Refused($"uses the pickle opcode 0x{opcode:x2}");
        }
    }

    private PickledGlobal Global(string module, string name)
    {
        string full = $"{module}.{name}";
        if (full.StartsWith("torch.", StringComparison.Ordinal) && Storages.TryGetValue(full["torch.".Length..], out TensorDtype dtype))
            return new(full, null, dtype);
        return full switch
        {
            "collections.OrderedDict" => new(full, OrderedDict, null),
            "torch._utils._rebuild_tensor_v2" => new(full, Tensor, null),
            "torch._utils._rebuild_parameter" => new(full, arguments => arguments is [PickledTensor tensor, ..] ? tensor : null, null),
            "torch.Size" => new(full, arguments => arguments is [object?[] sizes] ? sizes : null, null),
            _ when module.StartsWith("__torch__", StringComparison.Ordinal) => throw new CheckpointException(
                $"{file} is a TorchScript program, not a checkpoint; in Python, save torch.jit.load(...).state_dict() with torch.save."),
            _ when MakesObject() => throw new CheckpointException(
                $"{file} asks for {Shown(full)}: it holds a whole module or object, which only its own code could load; in Python, save "
                + "the weights alone with torch.save(model.state_dict(), ...)."),
            _ => throw Refused($"asks for {Shown(full)}"),
        };
    }

    // After the name (and where it is remembered) come no arguments and NEWOBJ: how Python pickles an object of a class.
    private bool MakesObject() => pickle.AsSpan(_position) switch
    {
        [(byte)'q', _, (byte)')', 0x81, ..] or [(byte)'r', _, _, _, _, (byte)')', 0x81, ..] => true,
        [0x94, (byte)')', 0x81, ..] or [(byte)')', 0x81, ..] => true,
        _ => false,
    };

    private void Call(object?[] callAndArguments)
    {
        if (callAndArguments is not [PickledGlobal callee, object?[] arguments] || callee.Rebuild is null)
            throw Refused("calls something that is no function");
        Push(callee.Rebuild(arguments) ?? throw Broken($"a call of {callee.Name} with arguments it does not take"));
    }

    private PickledDict? OrderedDict(object?[] arguments)
    {
        PickledDict dictionary = new();
        if (arguments is []) return dictionary;
        if (arguments is not [List<object?> pairs]) return null;
        foreach (object? pair in pairs)
        {
            budget.Take(CostOfOpcode);
            (object? key, object? value) = pair switch
            {
                object?[] and [var k, var v] => (k, v),
                List<object?> and [var k, var v] => (k, v),
                _ => throw Broken("a dictionary entry that is no pair"),
            };
            dictionary.Entries.Add(new(key, value));
        }
        return dictionary;
    }

    // Arguments: storage, offset, size, stride, and requires_grad, hooks and metadata, which say nothing about the values.
    private PickledTensor? Tensor(object?[] arguments)
    {
        const int mostDimensions = 64;
        if (arguments is not [PickledStorage storage, long offset, object?[] shape, object?[] strides, ..]
            || shape.Length != strides.Length || shape.Length > mostDimensions)
            return null;
        budget.Take(2 * sizeof(long) * shape.Length);
        return shape.All(size => size is long) && strides.All(stride => stride is long)
            ? new(storage, offset, Array.ConvertAll(shape, size => (long)size!), Array.ConvertAll(strides, stride => (long)stride!))
            : null;
    }

    private PickledStorage Storage(object? id) =>
        id is object?[] and ["storage", PickledGlobal { Dtype: { } dtype }, string key, string, long and >= 0 and var count]
            ? new(dtype, key, count)
            : throw Refused("refers to something outside that is no tensor storage");

    private void Append(object?[] items)
    {
        if (Top() is not List<object?> list) throw Broken("an item appended to something that is no list");
        list.AddRange(items);
    }

    private void SetItems(object?[] items)
    {
        if (Top() is not PickledDict dictionary || items.Length % 2 != 0) throw Broken("an item put into something that is no dictionary");
        for (int i = 0; i < items.Length; i += 2) dictionary.Entries.Add(new(items[i], items[i + 1]));
    }

    private object? Remembered(long index) =>
        _memo.TryGetValue(index, out object? value) ? value : throw Broken("a reference to something never remembered");

    private void Push(object? value) => _stack.Add(value);

    // What lies below the last mark is out of reach until the mark is gone.
    private int Bottom => _marks.Count > 0 ? _marks[^1] : 0;

    private object? Top() => _stack.Count > Bottom ? _stack[^1] : throw Broken("a value missing from its stack");

    private object? Pop()
    {
        object? value = Top();
        _stack.RemoveAt(_stack.Count - 1);
        return value;
    }

    private object?[] PopLast(int count)
    {
        if (_stack.Count - Bottom < count) throw Broken("a value missing from its stack");
        object?[] values = _stack.GetRange(_stack.Count - count, count).ToArray();
        _stack.RemoveRange(_stack.Count - count, count);
        return values;
    }

    private object?[] PopToMark()
    {
        if (_marks.Count == 0) throw Broken("a mark missing from its stack");
        object?[] values = PopLast(_stack.Count - Bottom);
        _marks.RemoveAt(_marks.Count - 1);
        return values;
    }

    private ReadOnlySpan<byte> Bytes(long count)
    {
        if (count < 0 || count > pickle.Length - _position) throw Broken("an end in the middle of a value");
        _position += (int)count;
        return pickle.AsSpan(_position - (int)count, (int)count);
    }

    private uint UInt32() => BinaryPrimitives.ReadUInt32LittleEndian(Bytes(4));

    private long UInt64() => BinaryPrimitives.ReadInt64LittleEndian(Bytes(8));

    private byte[] CopyOf(long count)
    {
        ReadOnlySpan<byte> bytes = Bytes(count);
        budget.Take(count);
        return bytes.ToArray();
    }

    private object Long(long size)
    {
        if (size > byte.MaxValue) throw Broken($"a whole number of {size} bytes");
        ReadOnlySpan<byte> bytes = Bytes(size);
        if (size > sizeof(long)) return new BigInteger(bytes); // such as a random seed of 64 bits, without a sign
        long value = size > 0 && bytes[^1] >= 0x80 ? -1 : 0;
        for (int i = bytes.Length - 1; i >= 0; i--) value = (value << 8) | bytes[i];
        return value;
    }

    private string Text(long size)
    {
        ReadOnlySpan<byte> bytes = Bytes(size);
        budget.Take(sizeof(char) * size);
        try
        {
            return StrictUtf8.GetString(bytes);
        }
        catch (DecoderFallbackException)
        {
            throw Broken("text that is not UTF-8");
        }
    }

    private string Line()
    {
        int length = pickle.AsSpan(_position).IndexOf((byte)'\n');
        if (length < 0) throw Broken("a name without an end");
        string line = Text(length);
        Bytes(1);
        return line;
    }

    private CheckpointException Broken(string what) => Damaged(file, $"its data.pkl has {what}");

    private CheckpointException Refused(string what) =>
        new($"{file} {what}, which a checkpoint has no business doing, so it was refused; weights saved alone, with "
            + "torch.save(model.state_dict(), ...), need no such thing.");

    private static readonly UTF8Encoding StrictUtf8 = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);

    private static readonly Dictionary<string, TensorDtype> Storages =
        Enum.GetValues<TensorDtype>().ToDictionary(dtype => dtype.PyTorchStorage());
}
