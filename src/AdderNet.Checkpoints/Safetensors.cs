using System.Buffers.Binary;
using System.Text.Json;
using static AdderNet.Checkpoints.CheckpointText;

namespace AdderNet.Checkpoints;

/// <summary>
/// The safetensors format: eight bytes of header length, a JSON header naming each tensor's type, shape and place, and then the
/// bare tensors. It holds data only, so reading it can run nothing.
/// </summary>
public static class Safetensors
{
    private const int LongestHeader = 100 << 20; // as in the reference implementation
    private const string MetadataName = "__metadata__";

    /// <summary>Reads a file.</summary>
    /// <param name="path">The file.</param>
    /// <returns>Its tensors and metadata.</returns>
    /// <exception cref="CheckpointException">The file is missing, unreadable or damaged.</exception>
    public static TensorFile Read(string path) => CheckpointFiles.Open(path, stream => Read(stream, path));

    /// <summary>Reads a stream to its end.</summary>
    /// <param name="stream">A seekable stream, at the start of the content.</param>
    /// <param name="name">What messages call it.</param>
    /// <returns>Its tensors and metadata.</returns>
    /// <exception cref="CheckpointException">The content is damaged.</exception>
    public static TensorFile Read(Stream stream, string name = "the stream")
    {
        ArgumentNullException.ThrowIfNull(stream);
        long size = stream.Length - stream.Position;
        if (size < 8) throw Damaged(name, "it is too short to be a safetensors file");
        Span<byte> prefix = stackalloc byte[8];
        stream.ReadExactly(prefix);
        ulong headerLength = BinaryPrimitives.ReadUInt64LittleEndian(prefix);
        if (headerLength > (ulong)size - 8) throw Damaged(name, "its safetensors header reaches beyond the end of the file, so it is cut off or no such file");
        if (headerLength > LongestHeader) throw Damaged(name, $"its safetensors header is longer than {LongestHeader >> 20} MB");
        byte[] header = new byte[headerLength];
        stream.ReadExactly(header);

        OrderedDictionary<string, Place> places = [];
        Dictionary<string, string> metadata = [];
        try
        {
            ReadHeader(header, places, metadata, name);
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            // InvalidOperationException is the reader's word for text that is not valid Unicode.
            throw Damaged(name, "its safetensors header is not the JSON it should be", e);
        }
        Dictionary<string, string> unread = places.Where(place => place.Value.Unread is not null).ToDictionary(
            place => place.Key, place => place.Value.Unread!);
        return new(ReadTensors(stream, size - 8 - (long)headerLength, places, name), metadata)
        {
            Unread = unread,
            Notes = CheckpointFiles.UnreadNote(name, unread),
        };
    }

    /// <summary>Writes a file, whole or not at all.</summary>
    /// <param name="path">The file to create or replace.</param>
    /// <param name="tensors">The tensors by name; reading gives them back in this order.</param>
    /// <param name="metadata">Free text by name.</param>
    /// <exception cref="CheckpointException">The file cannot be written; the old one is untouched.</exception>
    public static void Write(
        string path, IEnumerable<KeyValuePair<string, TensorData>> tensors, IReadOnlyDictionary<string, string>? metadata = null) =>
        AtomicFile.Write(path, stream => Write(stream, tensors, metadata));

    /// <summary>Writes to a stream.</summary>
    /// <param name="stream">Where to; it stays open.</param>
    /// <param name="tensors">The tensors by name; reading gives them back in this order.</param>
    /// <param name="metadata">Free text by name.</param>
    /// <exception cref="ArgumentException">A name occurs twice or is <c>__metadata__</c>, which the format keeps for itself.</exception>
    public static void Write(
        Stream stream, IEnumerable<KeyValuePair<string, TensorData>> tensors, IReadOnlyDictionary<string, string>? metadata = null)
    {
        ArgumentNullException.ThrowIfNull(stream);
        ArgumentNullException.ThrowIfNull(tensors);
        OrderedDictionary<string, TensorData> named = new(tensors);
        if (named.ContainsKey(MetadataName)) throw new ArgumentException($"No tensor may be named {MetadataName}.", nameof(tensors));
        // Widest elements first aligns every tensor to its element, whatever the others' sizes.
        KeyValuePair<string, TensorData>[] inFileOrder = [.. named.OrderByDescending(tensor => tensor.Value.Dtype.Size())];
        Dictionary<string, long> begins = [];
        long end = 0;
        foreach ((string name, TensorData tensor) in inFileOrder)
        {
            begins[name] = end;
            end += tensor.Data.Length;
        }

        byte[] header = Header(named, begins, metadata);
        Span<byte> prefix = stackalloc byte[8];
        BinaryPrimitives.WriteInt64LittleEndian(prefix, header.Length);
        stream.Write(prefix);
        stream.Write(header);
        foreach ((_, TensorData tensor) in inFileOrder) stream.Write(tensor.Data.Span);
    }

    private static byte[] Header(
        OrderedDictionary<string, TensorData> tensors, Dictionary<string, long> begins, IReadOnlyDictionary<string, string>? metadata)
    {
        using MemoryStream header = new();
        using (Utf8JsonWriter json = new(header))
        {
            json.WriteStartObject();
            if (metadata is { Count: > 0 })
            {
                json.WriteStartObject(MetadataName);
                foreach ((string name, string text) in metadata) json.WriteString(name, text);
                json.WriteEndObject();
            }
            foreach ((string name, TensorData tensor) in tensors)
            {
                json.WriteStartObject(name);
                json.WriteString("dtype", tensor.Dtype.SafetensorsName());
                WriteNumbers(json, "shape", tensor.Shape);
                WriteNumbers(json, "data_offsets", [begins[name], begins[name] + tensor.Data.Length]);
                json.WriteEndObject();
            }
            json.WriteEndObject();
        }
        // The format pads with spaces, so that the tensors start aligned.
        while (header.Length % 8 != 0) header.WriteByte((byte)' ');
        return header.ToArray();
    }

    private static void WriteNumbers(Utf8JsonWriter json, string name, ReadOnlySpan<long> numbers)
    {
        json.WriteStartArray(name);
        foreach (long number in numbers) json.WriteNumberValue(number);
        json.WriteEndArray();
    }

    // Unread: what the tensor is, where it is not read.
    private readonly record struct Place(TensorDtype Dtype, long[] Shape, long Begin, long End, string? Unread);

    private static void ReadHeader(
        byte[] header, OrderedDictionary<string, Place> places, Dictionary<string, string> metadata, string file)
    {
        Utf8JsonReader json = new(header, new JsonReaderOptions { MaxDepth = 4 });
        Expect(ref json, JsonTokenType.StartObject);
        while (ReadName(ref json) is { } name)
        {
            if (name == MetadataName)
            {
                Expect(ref json, JsonTokenType.StartObject);
                while (ReadName(ref json) is { } key)
                {
                    Expect(ref json, JsonTokenType.String);
                    if (!metadata.TryAdd(key, json.GetString()!)) throw Damaged(file, $"the metadata '{Shown(key)}' occurs twice");
                }
            }
            else if (!places.TryAdd(name, ReadPlace(ref json, name, file)))
            {
                throw Damaged(file, $"the tensor '{Shown(name)}' occurs twice");
            }
        }
        if (json.Read()) throw new JsonException();
    }

    private static Place ReadPlace(ref Utf8JsonReader json, string tensor, string file)
    {
        string? dtypeName = null;
        long[]? shape = null, offsets = null;
        Expect(ref json, JsonTokenType.StartObject);
        while (ReadName(ref json) is { } name)
        {
            if (name == "dtype" && dtypeName is null)
            {
                Expect(ref json, JsonTokenType.String);
                dtypeName = json.GetString()!;
            }
            else if (name == "shape" && shape is null)
            {
                shape = ReadNumbers(ref json);
            }
            else if (name == "data_offsets" && offsets is null)
            {
                offsets = ReadNumbers(ref json);
            }
            else
            {
                throw Damaged(file, $"the tensor '{Shown(tensor)}' has a second or unknown property '{Shown(name)}'");
            }
        }
        if (dtypeName is null || shape is null || offsets is not [long begin, long end])
            throw Damaged(file, $"the tensor '{Shown(tensor)}' needs a dtype, a shape and two data_offsets");
        TensorDtype dtype = Array.Find(Enum.GetValues<TensorDtype>(), one => one.SafetensorsName() == dtypeName);
        bool known = dtype.SafetensorsName() == dtypeName;
        long count = TensorDtypes.ElementCount(shape);
        // Elements of unknown size can only be skipped; that they lie inside the file is seen when all places are known.
        if (count < 0 || begin < 0 || end < begin || (known && (count > long.MaxValue / dtype.Size() || end - begin != count * dtype.Size())))
            throw Damaged(
                file, $"the tensor '{Shown(tensor)}', {Shown(dtypeName)} [{string.Join(", ", shape)}], cannot lie at bytes {begin} to {end}");
        return new(dtype, shape, begin, end, !known ? $"a tensor of type {Shown(dtypeName)}" : end - begin > Array.MaxLength ? "a tensor above 2 GB" : null);
    }

    private static long[] ReadNumbers(ref Utf8JsonReader json)
    {
        const int mostDimensions = 64;
        Expect(ref json, JsonTokenType.StartArray);
        List<long> numbers = [];
        while (json.Read() && json.TokenType == JsonTokenType.Number && json.TryGetInt64(out long number)
            && numbers.Count < mostDimensions)
            numbers.Add(number);
        if (json.TokenType != JsonTokenType.EndArray) throw new JsonException();
        return [.. numbers];
    }

    private static string? ReadName(ref Utf8JsonReader json)
    {
        if (!json.Read()) throw new JsonException();
        return json.TokenType switch
        {
            JsonTokenType.PropertyName => json.GetString(),
            JsonTokenType.EndObject => null,
            _ => throw new JsonException(),
        };
    }

    private static void Expect(ref Utf8JsonReader json, JsonTokenType token)
    {
        if (!json.Read() || json.TokenType != token) throw new JsonException();
    }

    private static OrderedDictionary<string, TensorData> ReadTensors(
        Stream stream, long size, OrderedDictionary<string, Place> places, string file)
    {
        // Tensors must fill the data without gap or overlap: then all of them together are as long as the file says it is, and
        // nothing is allocated before that is known.
        KeyValuePair<string, Place>[] inFileOrder = [.. places.OrderBy(place => place.Value.Begin).ThenBy(place => place.Value.End)];
        long end = 0;
        foreach ((string name, Place place) in inFileOrder)
        {
            if (place.Begin != end) throw Damaged(file, $"the tensor '{Shown(name)}' does not begin where the one before it ends");
            end = place.End;
        }
        if (end > size) throw new CheckpointException($"{file} is cut off: its tensors take {end:N0} bytes but {size:N0} are there; download or copy it again.");
        if (end != size) throw Damaged(file, $"its tensors take {end:N0} bytes but {size:N0} are there");

        Dictionary<string, TensorData> tensors = [];
        foreach ((string name, Place place) in inFileOrder)
        {
            if (place.Unread is not null)
            {
                stream.Position += place.End - place.Begin;
                continue;
            }
            byte[] data = new byte[place.End - place.Begin];
            stream.ReadExactly(data);
            tensors[name] = new(place.Dtype, place.Shape, data);
        }
        return new(places.Keys.Where(tensors.ContainsKey).Select(name => KeyValuePair.Create(name, tensors[name])));
    }
}
