using AdderNet.Checkpoints;
using AdderNet.Export.Native;
using AdderNet.Graph;

namespace AdderNet.Export.Tests;

/// <summary>The folder of <c>export --to native</c>.</summary>
public sealed class NativeExportTests : IDisposable
{
    private readonly TempFolder folder = new();

    public void Dispose() => folder.Dispose();

    [Fact]
    public void A_folder_gets_the_network_and_the_engines_files()
    {
        string engine = Engine();

        NativeExporter.Export(Network(), engine, folder["made"]);

        Assert.Equal(["addernet.h", "libaddernet.so", "model.safetensors"], Names(folder["made"]));
        NetworkGraph written = GraphFile.Load(Path.Combine(folder["made"], NativeExporter.ModelFile));
        Assert.Equal(Network().Nodes.Select(n => n.Name), written.Nodes.Select(n => n.Name));
        Assert.Equal("engine", File.ReadAllText(Path.Combine(folder["made"], "libaddernet.so")));
    }

    [Fact]
    public void What_cannot_be_written_leaves_nothing_behind()
    {
        string engine = Engine();
        File.WriteAllText(folder["taken"], "mine");

        CheckpointException error = Assert.Throws<CheckpointException>(() => NativeExporter.Export(Network(), engine, folder["taken"]));
        Assert.Contains(folder["taken"], error.Message);
        Assert.Equal(["engine", "taken"], Names(Path.GetDirectoryName(folder["taken"])!));
        Assert.Equal("mine", File.ReadAllText(folder["taken"]));
    }

    private static string[] Names(string path) =>
        [.. Directory.GetFileSystemEntries(path).Select(f => Path.GetFileName(f)!).Order(StringComparer.Ordinal)];

    private static NetworkGraph Network() => new(
        [InputNode.Of("image", new FeatureShape(1, 2, 2)), new ReluNode { Name = "relu", Inputs = ["image"] }],
        [new GraphOutput("scores", "relu")]);

    private string Engine()
    {
        string engine = folder["engine"];
        Directory.CreateDirectory(engine);
        File.WriteAllText(Path.Combine(engine, "libaddernet.so"), "engine");
        File.WriteAllText(Path.Combine(engine, "addernet.h"), "header");
        return engine;
    }
}
