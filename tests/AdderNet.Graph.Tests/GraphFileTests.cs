using System.Text.Json.Nodes;
using AdderNet.Checkpoints;

namespace AdderNet.Graph.Tests;

public class GraphFileTests
{
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void A_graph_comes_back_as_it_was(bool fused)
    {
        NetworkGraph graph = fused ? Graphs.Everything().Fuse() : Graphs.Everything();
        byte[] written = Graphs.Bytes(graph);

        NetworkGraph read = GraphFile.Load(new MemoryStream(written));

        Assert.Equal(written, Graphs.Bytes(read));
        Assert.Equal(graph.Nodes.Select(n => (n.GetType(), n.Name, n.Shape)), read.Nodes.Select(n => (n.GetType(), n.Name, n.Shape)));
        Assert.Equal(graph.Outputs, read.Outputs);
        Assert.Equal(graph.Metadata.ClassNames, read.Metadata.ClassNames);
        Assert.Equal(graph.Metadata.Preparation!.Std, read.Metadata.Preparation!.Std);
        Dictionary<string, float[]> images = Graphs.Images(graph);
        Assert.Equal(ReferenceInterpreter.Run(graph, images)["scores"], ReferenceInterpreter.Run(read, images)["scores"]);
    }

    [Fact]
    public void The_file_is_a_checkpoint_with_the_names_of_a_state_dict()
    {
        using TempFolder folder = new();
        string path = folder["graph.safetensors"];
        Graphs.Everything().Save(path);

        TensorFile file = CheckpointFiles.ReadStateDict(path);

        Assert.Equal("F32 [8, 8, 3, 3]", file.Tensors["adder.adder"].ToString());
        Assert.Equal("F32 [5, 16]", file.Tensors["fc.weight"].ToString());
        Assert.Contains("stem.bn.running_var", file.Tensors.Keys);
        Assert.Equal("everything", GraphFile.Load(path).Metadata.Model);
    }

    [Fact]
    public void Layers_that_share_filters_share_them_in_the_file()
    {
        NetworkGraph read = GraphFile.Load(new MemoryStream(Graphs.Bytes(Graphs.Everything())));

        Assert.Same(((AdderNode)read["adder"]).Filters, ((AdderNode)read["shared"]).Filters);
    }

    [Fact]
    public void A_file_of_weights_alone_is_refused()
    {
        using MemoryStream stream = new();
        Safetensors.Write(stream, [KeyValuePair.Create("conv1.weight", TensorData.FromFloats([1], 1))]);
        stream.Position = 0;

        Assert.Contains("no network", Assert.Throws<CheckpointException>(() => GraphFile.Load(stream, "w.safetensors")).Message);
    }

    [Fact]
    public void Another_version_is_told_from_a_damaged_file()
    {
        string message = Refused(json => json["version"] = 7);

        Assert.Contains("version 7", message);
        Assert.DoesNotContain("damaged", message);
    }

    [Fact]
    public void Damage_in_the_description_is_refused_with_one_sentence()
    {
        Assert.Contains("damaged", Refused(json => json["nodes"]![2]!["kind"] = "convolutional"));
        Assert.Contains("damaged", Refused(json => json["nodes"]![2]!.AsObject().Remove("kind")));
        Assert.Contains("damaged", Refused(json => json["nodes"]![2] = null));
        Assert.Contains("damaged", Refused(json => json["nodes"]![2]!["filters"] = "no.such.tensor"));
        Assert.Contains("damaged", Refused(json => json["nodes"]![2]!["unknown"] = 1));
        Assert.Contains("damaged", Refused(json => json.AsObject().Remove("outputs")));
        Assert.Contains("it gives 8x8x6, not 9x8x6", Refused(json => json["nodes"]![2]!["shape"]![0] = 9));
        Assert.Contains("'stem.relu', which does not stand before it", Refused(json => json["nodes"]![4]!["name"] = "elsewhere"));
    }

    [Fact]
    public void Weights_that_are_no_numbers_are_refused()
    {
        TensorFile file = Safetensors.Read(new MemoryStream(Graphs.Bytes(Graphs.Everything())));
        file.Tensors["fc.weight"] = TensorData.FromFloats([.. Enumerable.Repeat(1f, 79), float.NaN], 5, 16);
        using MemoryStream stream = new();
        Safetensors.Write(stream, file.Tensors, file.Metadata);
        stream.Position = 0;

        Assert.Contains(
            "g.safetensors: the tensor 'fc.weight' holds NaN",
            Assert.Throws<CheckpointException>(() => GraphFile.Load(stream, "g.safetensors")).Message);
    }

    [Fact]
    public void Damaged_files_are_read_or_refused() =>
        Fuzz.Check(Graphs.Bytes(Graphs.Everything()), data => GraphFile.Load(new MemoryStream(data)), typeof(CheckpointException));

    private static string Refused(Action<JsonNode> change)
    {
        TensorFile file = Safetensors.Read(new MemoryStream(Graphs.Bytes(Graphs.Everything())));
        JsonNode json = JsonNode.Parse(file.Metadata[GraphFile.MetadataKey])!;
        change(json);
        using MemoryStream stream = new();
        Safetensors.Write(stream, file.Tensors, new Dictionary<string, string> { [GraphFile.MetadataKey] = json.ToJsonString() });
        stream.Position = 0;
        string message = Assert.Throws<CheckpointException>(() => GraphFile.Load(stream, "g.safetensors")).Message;
        Assert.DoesNotContain('\n', message);
        return message;
    }
}
