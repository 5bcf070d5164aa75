using System.Buffers.Binary;
using System.Globalization;
using System.Numerics;
using System.Text;
using static AdderNet.Checkpoints.CheckpointText;

namespace AdderNet.Checkpoints;

/// <summary>Reads pickles of protocols 0 to 5 as data.</summary>
/// <remarks>
/// A pickle is a program, and Python's machine is dangerous in two steps: it looks names up, which imports modules, and it calls what it
/// found. This machine has neither step. A name becomes a <see cref="PickledGlobal"/>, which is its text; a call, an object or a persistent
/// reference becomes a <see cref="PickledObject"/>, which remembers that text and the arguments. Nowhere does text from a file reach
/// reflection, a loader, a process or a path, so any class may be named, whatever it would do in Python, and nothing comes of it. The
/// one place that gives names a meaning is <see cref="TorchPickle"/>: it compares them with the few that describe tensors, and can do
/// nothing but describe tensors. Nothing recurses, and what is allocated counts against a budget that grows with the bytes read.
/// </remarks>
internal sealed class PickleMachine(Stream stream, string file, MemoryBudget budget)
{
    // What an opcode's value may cost: its share of growing lists, and the object itself.
    private const int CostOfValue = 16, CostOfNumber = 24, CostOfCollection = 80, CostOfMemo = 40;

    // How many bytes of memory a byte of an honest pickle can need: a small number takes 2 bytes there and a place in a list here.
    private const int GrantForByte = 24;

    // Small numbers are most of what pickles hold.
    private static readonly object[] SmallNumbers = [.. Enumerable.Range(0, 256).Select(i => (object)(long)i)];

    private readonly List<object?> _stack = [];
    private readonly List<int> _marks = [];
    private readonly Dictionary<long, object?> _memo = [];
    private readonly byte[] _buffer = new byte[byte.MaxValue + 1];

    /// <summary>What a call makes; by default an object of the callee's name.</summary>
    public Func<PickledGlobal, object?[], object?> Call { get; init; } = (callee, arguments) => new PickledObject(callee.Name, arguments);

    /// <summary>What a persistent reference, to something outside the pickle, stands for.</summary>
    public Func<object?, object?> Refer { get; init; } = id => new PickledObject("a reference to something outside", id);

    /// <summary>What the strings of Python 2, which are bytes, are read as.</summary>
    public Encoding TextOfPython2 { get; init; } = Encoding.UTF8;

    /// <summary>Whether the stream is a file, which has been cut off where it ends within the pickle.</summary>
    public bool IsFile { get; init; }

    /// <summary>Runs one pickle; the stream is then behind its end.</summary>
    /// <returns>The value it leaves.</returns>
    /// <exception cref="CheckpointException">It is no pickle, or needs far more memory than its size justifies.</exception>
    public object? Load()
    {
        while (true)
        {
            byte opcode = Byte();
            if (opcode == '.') return Pop();
            budget.Take(CostOfValue);
            Run(opcode);
        }
    }

    private void Run(byte opcode)
    {
        switch (opcode)
        {
            case 0x80: // PROTO
                if (Byte() > 5) throw Broken("a protocol above 5");
                break;
            case 0x95: // FRAME: a hint for reading ahead
                Bytes(8);
                break;

            case (byte)'(': // MARK
                _marks.Add(_stack.Count);
                break;
            case (byte)'0': // POP
                if (_stack.Count > Bottom)
                    Pop();
                else
                    PopToMark();
                break;
            case (byte)'1': // POP_MARK
                PopToMark();
                break;
            case (byte)'2': // DUP
                Push(Top());
                break;

            case (byte)'p': // PUT
                Remember(Index());
                break;
            case (byte)'q': // BINPUT
                Remember(Byte());
                break;
            case (byte)'r': // LONG_BINPUT
                Remember(UInt32());
                break;
            case 0x94: // MEMOIZE
                Remember(_memo.Count);
                break;
            case (byte)'g': // GET
                Push(Remembered(Index()));
                break;
            case (byte)'h': // BINGET
                Push(Remembered(Byte()));
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
            case (byte)'I': // INT; 00 and 01 are how the oldest protocol writes False and True
                Push(Line() switch { "00" => false, "01" => true, string digits => Number(digits) });
                break;
            case (byte)'L': // LONG
                Push(Number(Line().TrimEnd('L')));
                break;
            case (byte)'K': // BININT1
                Push(Number(Byte()));
                break;
            case (byte)'M': // BININT2
                Push(Number(BinaryPrimitives.ReadUInt16LittleEndian(Bytes(2))));
                break;
            case (byte)'J': // BININT
                Push(Number(BinaryPrimitives.ReadInt32LittleEndian(Bytes(4))));
                break;
            case 0x8a: // LONG1
                Push(Long(Byte()));
                break;
            case 0x8b: // LONG4
                Push(Long(BinaryPrimitives.ReadInt32LittleEndian(Bytes(4))));
                break;
            case (byte)'F': // FLOAT
                string real = Line();
                budget.Take(CostOfNumber);
                Push(double.TryParse(real, NumberStyles.Float, CultureInfo.InvariantCulture, out double value)
                    ? value : throw Broken("a number that is none"));
                break;
            case (byte)'G': // BINFLOAT
                budget.Take(CostOfNumber);
                Push(BinaryPrimitives.ReadDoubleBigEndian(Bytes(8)));
                break;

            case (byte)'S': // STRING: in quotes, of Python 2
                string quoted = Line();
                Push(quoted.Length > 1 ? quoted[1..^1] : throw Broken("text without quotes"));
                break;
            case (byte)'V': // UNICODE
                Push(Line());
                break;
            case (byte)'U': // SHORT_BINSTRING: a string of Python 2
                Push(Text(Byte(), TextOfPython2));
                break;
            case 0x8c: // SHORT_BINUNICODE
                Push(Text(Byte()));
                break;
            case (byte)'T': // BINSTRING
                Push(Text(UInt32(), TextOfPython2));
                break;
            case (byte)'X': // BINUNICODE
                Push(Text(UInt32()));
                break;
            case 0x8d: // BINUNICODE8
                Push(Text(Int64()));
                break;
            case (byte)'C': // SHORT_BINBYTES
                Push(NewBytes(Byte()));
                break;
            case (byte)'B': // BINBYTES
                Push(NewBytes(UInt32()));
                break;
            case 0x8e: // BINBYTES8
            case 0x96: // BYTEARRAY8
                Push(NewBytes(Int64()));
                break;
            case 0x97: // NEXT_BUFFER: bytes that the pickle does not have
                Push(NewObject("a buffer outside"));
                break;
            case 0x98: // READONLY_BUFFER
                break;

            case (byte)')': // EMPTY_TUPLE
                budget.Take(CostOfCollection);
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
                budget.Take(CostOfCollection);
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
                Push(NewObject(PickledObject.Dict));
                break;
            case (byte)'d': // DICT
                object?[] items = PopToMark();
                Push(NewObject(PickledObject.Dict));
                SetItems(items);
                break;
            case (byte)'s': // SETITEM
                SetItems(PopLast(2));
                break;
            case (byte)'u': // SETITEMS
                SetItems(PopToMark());
                break;
            case 0x8f: // EMPTY_SET
                Push(NewObject("builtins.set"));
                break;
            case 0x90: // ADDITEMS
                AddItems(PopToMark());
                break;
            case 0x91: // FROZENSET
                object?[] members = PopToMark();
                Push(NewObject("builtins.frozenset"));
                AddItems(members);
                break;

            case (byte)'c': // GLOBAL
                string module = Line(), name = Line();
                Push(NewGlobal(module, name));
                break;
            case 0x93: // STACK_GLOBAL
                if (PopLast(2) is not [string stackModule, string stackName]) throw Broken("a name that is no text");
                Push(NewGlobal(stackModule, stackName));
                break;
            case (byte)'R': // REDUCE
            case 0x81: // NEWOBJ
                if (PopLast(2) is not [var callee, object?[] arguments]) throw Broken("a call without arguments");
                Push(Made(callee, arguments));
                break;
            case 0x92: // NEWOBJ_EX: with arguments by name, which no class that matters here has
                if (PopLast(3) is not [var type, object?[] positional, _]) throw Broken("a call without arguments");
                Push(Made(type, positional));
                break;
            case (byte)'i': // INST: call of a name, in one
                string instModule = Line(), instName = Line();
                Push(Made(NewGlobal(instModule, instName), PopToMark()));
                break;
            case (byte)'o': // OBJ: callee and arguments after a mark
                if (PopToMark() is not [var made, .. object?[] with]) throw Broken("an object without a class");
                Push(Made(made, with));
                break;
            case (byte)'b': // BUILD: a state for what lies below; that of a tensor says nothing about its elements
                object? state = Pop();
                if (Top() is PickledObject built) built.State = state;
                break;
            case (byte)'P': // PERSID
                Push(Referred(Line()));
                break;
            case (byte)'Q': // BINPERSID
                Push(Referred(Pop()));
                break;

            default:
                // Also EXT1, EXT2 and EXT4, names by numbers that some Python registered: nobody else can know them.
                throw Broken($"the opcode 0x{opcode:x2}");
        }
    }

    private object? Made(object? callee, object?[] arguments)
    {
        budget.Take(CostOfCollection);
        // What a call returned may be called again, a partial for example: still nothing but data.
        return callee is PickledGlobal name ? Call(name, arguments) : new PickledObject("the result of a call", arguments);
    }

    private object? Referred(object? id)
    {
        budget.Take(CostOfCollection);
        return Refer(id);
    }

    private PickledObject NewObject(string type)
    {
        budget.Take(CostOfCollection);
        return new PickledObject(type);
    }

    private PickledGlobal NewGlobal(string module, string name)
    {
        budget.Take(CostOfCollection + sizeof(char) * (module.Length + name.Length));
        return new PickledGlobal($"{module}.{name}");
    }

    private void Append(object?[] items)
    {
        switch (Top())
        {
            case List<object?> list:
                list.AddRange(items);
                break;
            case PickledObject: // of a class that behaves like a list; what is in it is never needed
                break;
            default:
                throw Broken("an item appended to something that is no list");
        }
    }

    private void SetItems(object?[] items)
    {
        if (Top() is not PickledObject target || items.Length % 2 != 0) throw Broken("an item put into something that is no dictionary");
        for (int i = 0; i < items.Length; i += 2) target.Add(items[i], items[i + 1]);
    }

    private void AddItems(object?[] items)
    {
        if (Top() is not PickledObject target) throw Broken("an item put into something that is no set");
        foreach (object? item in items) target.Add(item, null);
    }

    private void Remember(long index)
    {
        budget.Take(CostOfMemo);
        _memo[index] = Top();
    }

    private object? Remembered(long index) =>
        _memo.TryGetValue(index, out object? value) ? value : throw Broken("a reference to something never remembered");

    private long Index() =>
        long.TryParse(Line(), NumberStyles.None, CultureInfo.InvariantCulture, out long index) ? index : throw Broken("a place that is no number");

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
        budget.Take(CostOfNumber + 8 * count);
        object?[] values = new object?[count];
        _stack.CopyTo(_stack.Count - count, values, 0, count);
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

    private byte Byte() => Bytes(1)[0];

    // At most a buffer full; longer values are read where they will stay.
    private ReadOnlySpan<byte> Bytes(int count)
    {
        Span<byte> bytes = _buffer.AsSpan(0, count);
        Fill(bytes);
        return bytes;
    }

    private void Fill(Span<byte> bytes)
    {
        if (stream.ReadAtLeast(bytes, bytes.Length, throwOnEndOfStream: false) < bytes.Length) throw Cut();
        budget.Grant((long)bytes.Length * GrantForByte);
    }

    private byte[] NewBytes(long count)
    {
        if (count < 0 || count > stream.Length - stream.Position) throw Cut();
        budget.Take(CostOfNumber + count);
        byte[] bytes = new byte[count];
        Fill(bytes);
        return bytes;
    }

    private uint UInt32() => BinaryPrimitives.ReadUInt32LittleEndian(Bytes(4));

    private long Int64() => BinaryPrimitives.ReadInt64LittleEndian(Bytes(8));

    private object Number(long value)
    {
        if (value is >= 0 and < 256) return SmallNumbers[value];
        budget.Take(CostOfNumber);
        return value;
    }

    private object Number(string digits)
    {
        const int mostDigits = 1000; // parsing takes the square of them
        if (digits.Length > mostDigits) return NewObject("a long number");
        if (!BigInteger.TryParse(digits, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out BigInteger value))
            throw Broken("a number that is none");
        budget.Take(digits.Length);
        return value >= long.MinValue && value <= long.MaxValue ? Number((long)value) : value;
    }

    private object Long(int size)
    {
        if (size < 0) throw Broken("a number of less than no bytes");
        if (size > sizeof(long)) return new BigInteger(NewBytes(size)); // such as a random seed of 64 bits, without a sign
        ReadOnlySpan<byte> bytes = Bytes(size);
        long value = size > 0 && bytes[^1] >= 0x80 ? -1 : 0;
        for (int i = bytes.Length - 1; i >= 0; i--) value = (value << 8) | bytes[i];
        return Number(value);
    }

    // Bytes that are no UTF-8, such as those of Python 2 or half a surrogate pair, are shown as what they are: no character.
    private string Text(long size, Encoding? encoding = null)
    {
        encoding ??= Encoding.UTF8;
        if (size < 0 || size > stream.Length - stream.Position) throw Cut();
        budget.Take(CostOfNumber + sizeof(char) * size);
        if (size <= _buffer.Length) return encoding.GetString(Bytes((int)size));
        budget.Take(size);
        byte[] bytes = new byte[size];
        Fill(bytes);
        return encoding.GetString(bytes);
    }

    private string Line()
    {
        List<byte> line = [];
        for (byte b = Byte(); b != '\n'; b = Byte())
        {
            budget.Take(1 + sizeof(char));
            line.Add(b);
        }
        budget.Take(CostOfCollection);
        if (line is [.., (byte)'\r']) line.RemoveAt(line.Count - 1); // a pickle of the oldest protocol that went through a text file
        return Encoding.UTF8.GetString([.. line]);
    }

    private CheckpointException Cut() => IsFile ? CutOff(file, stream.Length) : Broken("an end in the middle of a value");

    private CheckpointException Broken(string what) => Damaged(file, $"its pickle has {what}");
}
