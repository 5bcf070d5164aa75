using System.Globalization;
using System.Text;
using AdderNet.Graph;

namespace AdderNet.Export.C;

/// <summary>The C type of an element.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Bytes">Its size.</param>
internal sealed record CType(string Name, int Bytes)
{
    public static readonly CType Byte = new("uint8_t", 1), Short = new("uint16_t", 2), Int = new("int32_t", 4), Float = new("float", 4);

    /// <summary>The type of codes of so many bytes, or of values.</summary>
    public static CType Of(int? codeBytes) => codeBytes switch { null => Float, 1 => Byte, 2 => Short, _ => Int };

    public bool IsFloat => this == Float;

    /// <summary>The arena that values of this type lie in.</summary>
    public string Arena => "arena_" + Name.Replace("_t", "", StringComparison.Ordinal);
}

/// <summary>Writes C, indented by its braces.</summary>
internal sealed class CWriter
{
    private readonly StringBuilder text = new();
    private int depth;

    /// <summary>Bytes of all tables so far.</summary>
    public long TableBytes { get; private set; }

    public override string ToString() => text.ToString();

    public void Line(string line = "") =>
        text.Append(CultureInfo.InvariantCulture, $"{(line.Length == 0 ? "" : new string(' ', 4 * depth))}{line}\n");

    public void Block(string head, Action body)
    {
        Line(head + (head.Length == 0 ? "{" : " {"));
        depth++;
        body();
        depth--;
        Line("}");
    }

    public void For(string index, long count, Action body) => For(index, count.ToString(CultureInfo.InvariantCulture), body);

    public void For(string index, string count, Action body) => Block($"for (int32_t {index} = 0; {index} < {count}; {index}++)", body);

    /// <summary>A loop over all elements of a map.</summary>
    public void Elements(FeatureShape shape, Action body) =>
        For("c", shape.Channels, () => For("row", shape.Height, () => For("col", shape.Width, body)));

    public void Function(string head, Action body)
    {
        Line(head);
        Block("", body);
        Line();
    }

    public void Table(CType type, string name, IReadOnlyList<long> values) =>
        Table(type.Name, type.Bytes, name, values, v => type.Bytes switch
    {
        // The type of -2147483648 is not int.
        4 when v == int.MinValue => "-2147483647 - 1",
        8 => Invariant(v) + "LL",
        _ => Invariant(v),
    });

    public void Table(string name, IReadOnlyList<float> values) => Table("float", 4, name, values, Literal);

    private void Table<T>(string type, int bytes, string name, IReadOnlyList<T> values, Func<T, string> literal)
    {
        TableBytes += (long)bytes * values.Count;
        Line($"static const {type} {name}[{Math.Max(1, values.Count)}] = {{");
        StringBuilder line = new("   ");
        // C has no empty initializers.
        foreach (string value in values.Count == 0 ? ["0"] : values.Select(literal))
        {
            if (line.Length + value.Length > 130)
            {
                text.Append(line).Append('\n');
                line.Clear().Append("   ");
            }

            line.Append(' ').Append(value).Append(',');
        }

        text.Append(line).Append('\n');
        Line("};");
    }

    public static string Invariant(long value) => value.ToString(CultureInfo.InvariantCulture);

    /// <summary>A float that C reads back exactly.</summary>
    public static string Literal(float value)
    {
        if (!float.IsFinite(value))
        {
            throw new GraphException("A weight or a bound of the network is not a finite number, and C has no literal for it.");
        }

        string digits = value.ToString("G9", CultureInfo.InvariantCulture);
        return digits + (digits.AsSpan().ContainsAny('.', 'E') ? "f" : ".0f");
    }

    /// <summary>A name that cannot end a comment.</summary>
    public static string Comment(string name) =>
        string.Concat(name.Take(80).Select(c => char.IsAsciiLetterOrDigit(c) || "._- ".Contains(c) ? c : '?'));

    /// <summary>A string literal, of UTF-8 bytes.</summary>
    public static string Quoted(string value)
    {
        StringBuilder quoted = new("\"");
        foreach (byte b in Encoding.UTF8.GetBytes(value))
        {
            // Octal, which takes three digits at most; the question mark because of trigraphs.
            _ = b is >= 32 and < 127 and not ((byte)'"' or (byte)'\\' or (byte)'?')
                ? quoted.Append((char)b)
                : quoted.Append('\\').Append(Convert.ToString(b, 8).PadLeft(3, '0'));
        }

        return quoted.Append('"').ToString();
    }
}
