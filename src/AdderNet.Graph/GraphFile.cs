using System.Text.Json;
using AdderNet.Checkpoints;

namespace AdderNet.Graph;

/// <summary>
/// A network in one file: safetensors whose metadata has the graph as JSON. The tensors have the names of a state_dict, so that what reads
/// checkpoints can read their weights, too.
/// </summary>
public static class GraphFile
{
    /// <summary>The version of the JSON that this library writes and reads.</summary>
    public const int Version = 1;

    /// <summary>The metadata entry that holds the JSON.</summary>
    public const string MetadataKey = "addernet.graph";

    /// <summary>Writes a file, whole or not at all.</summary>
    /// <param name="graph">The network.</param>
    /// <param name="path">The file to create or replace.</param>
    /// <exception cref="CheckpointException">The file cannot be written; the old one is untouched.</exception>
    public static void Save(this NetworkGraph graph, string path) => AtomicFile.Write(path, stream => graph.Save(stream));

    /// <summary>Writes to a stream.</summary>
    /// <param name="graph">The network.</param>
    /// <param name="stream">Where to; it stays open.</param>
    public static void Save(this NetworkGraph graph, Stream stream)
    {
        ArgumentNullException.ThrowIfNull(graph);
        OrderedDictionary<string, TensorData> tensors = [];
        // By reference: nodes that share a tensor share it in the file, too.
        Dictionary<TensorData, string> names = new(ReferenceEqualityComparer.Instance);
        foreach (GraphNode node in graph.Nodes)
        {
            foreach ((string role, TensorData tensor) in node.Tensors)
            {
                string name = $"{node.Name}.{role}";
                if (names.TryAdd(tensor, name))
                {
                    tensors.Add(name, tensor);
                }
            }
        }

        string json = JsonSerializer.Serialize(
            new GraphDocument(Version, graph.Metadata, graph.Nodes, graph.Outputs), GraphJson.With(new TensorNames(names)).GraphDocument);
        Safetensors.Write(stream, tensors, new Dictionary<string, string> { ["format"] = "pt", [MetadataKey] = json });
    }

    /// <summary>Reads a file.</summary>
    /// <param name="path">The file.</param>
    /// <returns>The network.</returns>
    /// <exception cref="CheckpointException">The file is missing, unreadable or damaged, holds no graph, or one of another version or with NaN among its weights.</exception>
    public static NetworkGraph Load(string path) => Of(Safetensors.Read(path), path);

    /// <summary>Reads a stream to its end.</summary>
    /// <param name="stream">A seekable stream, at the start of the content.</param>
    /// <param name="name">What messages call it.</param>
    /// <returns>The network.</returns>
    /// <exception cref="CheckpointException">The content is damaged, holds no graph, or one of another version or with NaN among its weights.</exception>
    public static NetworkGraph Load(Stream stream, string name = "the stream") => Of(Safetensors.Read(stream, name), name);

    /// <summary>Whether what a safetensors file says of itself has a graph.</summary>
    /// <param name="metadata">The file's metadata.</param>
    public static bool IsIn(IReadOnlyDictionary<string, string> metadata) => metadata.ContainsKey(MetadataKey);

    private static NetworkGraph Of(TensorFile file, string name)
    {
        if (!file.Metadata.TryGetValue(MetadataKey, out string? json))
        {
            throw new CheckpointException($"{name} holds tensors but no network: it does not say how they are connected.");
        }

        try
        {
            if (JsonSerializer.Deserialize(json, GraphJson.AnyVersion.GraphHeader) is not { } header)
            {
                throw new JsonException();
            }

            if (header.Version != Version)
            {
                throw new CheckpointException(
                    $"{name} holds a network of version {header.Version}, and this program reads version {Version}; "
                    + "export it again with the same version of both.");
            }

            GraphDocument document = JsonSerializer.Deserialize(json, GraphJson.With(new NamedTensors(file.Tensors)).GraphDocument)!;
            if (document.Nodes.Contains(null!) || document.Outputs.Contains(null!) || document.Metadata.ClassNames?.Contains(null!) == true)
            {
                throw new JsonException();
            }

            file.RefuseNaN(name);
            return new NetworkGraph(document.Nodes, document.Outputs, document.Metadata);
        }
        catch (Exception e) when (e is JsonException or NotSupportedException or InvalidOperationException)
        {
            // NotSupportedException is the serializer's word for a node without a kind.
            throw new CheckpointException($"{name} is damaged: what it says of its network is not what this version writes.", e);
        }
        catch (GraphException e)
        {
            throw new CheckpointException($"{name} is damaged: {e.Message}", e);
        }
    }
}
