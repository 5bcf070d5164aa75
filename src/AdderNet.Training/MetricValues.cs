using System.Collections;

namespace AdderNet.Training;

/// <summary>Measured values by the names of their metrics, in the metrics' order; two are equal when their names and values are.</summary>
public sealed class MetricValues : IEnumerable<KeyValuePair<string, double>>, IEquatable<MetricValues>
{
    private readonly KeyValuePair<string, double>[] values;

    /// <summary>Makes them from names and values.</summary>
    /// <param name="values">Names of metrics, none of them twice, with their values.</param>
    public MetricValues(params IEnumerable<(string Name, double Value)> values) =>
        this.values = [.. values.Select(v => KeyValuePair.Create(v.Name, v.Value))];

    /// <summary>The value of a metric.</summary>
    /// <exception cref="KeyNotFoundException">It wasn't measured.</exception>
    public double this[string name] => Find(name) ?? throw new KeyNotFoundException($"'{name}' was not measured.");

    /// <summary>The value of a metric; null where it wasn't measured.</summary>
    public double? Find(string name) =>
        Array.FindIndex(values, v => v.Key == name) is >= 0 and var i ? values[i].Value : null;

    /// <inheritdoc/>
    public IEnumerator<KeyValuePair<string, double>> GetEnumerator() => values.AsEnumerable().GetEnumerator();

    /// <inheritdoc/>
    public bool Equals(MetricValues? other) => other is not null && values.SequenceEqual(other.values);

    /// <inheritdoc/>
    public override bool Equals(object? obj) => Equals(obj as MetricValues);

    /// <inheritdoc/>
    public override int GetHashCode() => values.Length == 0 ? 0 : HashCode.Combine(values.Length, values[0], values[^1]);

    /// <inheritdoc/>
    public override string ToString() => string.Join(", ", values.Select(v => FormattableString.Invariant($"{v.Key} {v.Value}")));

    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();
}
