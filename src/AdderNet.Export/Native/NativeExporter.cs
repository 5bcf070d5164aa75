using AdderNet.Graph;

namespace AdderNet.Export.Native;

/// <summary>A network with the engine compiled ahead of time: a folder with all that programs in C, and what calls C, need.</summary>
public static class NativeExporter
{
    /// <summary>The name of the network's file.</summary>
    public const string ModelFile = "model.safetensors";

    /// <summary>Whether a folder holds the engine for programs in C.</summary>
    /// <param name="engine">The folder.</param>
    public static bool IsEngine(string engine) => File.Exists(Path.Combine(engine, "libaddernet.so"));

    /// <summary>Writes the network's file and a copy of the engine: all of it or nothing.</summary>
    /// <param name="graph">The network, float32 or quantized.</param>
    /// <param name="engine">The folder that the repository's script <c>native</c> has made.</param>
    /// <param name="folder">The folder to write; files of other names that are there stay.</param>
    /// <exception cref="GraphException">The network is a detector.</exception>
    /// <exception cref="Checkpoints.CheckpointException">The folder cannot be written.</exception>
    public static void Export(NetworkGraph graph, string engine, string folder)
    {
        ArgumentNullException.ThrowIfNull(graph);
        ShippedNetwork.RefuseDetector(graph);
        using MemoryStream model = new();
        graph.Save(model);
        ExportFolder files = new();
        files.Add(ModelFile, model.ToArray());
        foreach (string path in Directory.GetFiles(engine))
        {
            files.AddCopy(path);
        }

        files.Write(folder);
    }
}
