using AdderNet.Checkpoints;
using AdderNet.Data;
using AdderNet.Export;
using AdderNet.Graph;
using AdderNet.Models;
using AdderNet.Training.Distillation;
using TorchSharp;
using static TorchSharp.torch;

namespace AdderNet.Training.Tests;

public sealed class CnnStartTests(TrainedCnn cnn) : IClassFixture<TrainedCnn>
{
    private static readonly Recipe Cnn = Stripes.Cnn;

    [Fact]
    public void An_AdderNet_that_starts_from_a_CNN_learns_in_one_epoch_what_a_fresh_one_has_not_in_two()
    {
        using TempFolder folder = new();
        TrainingResult from = Stripes.Run(folder["from"], Cnn.StartingFrom(cnn.Path) with { Epochs = 2 });
        TrainingResult fresh = Stripes.Run(folder["fresh"], Cnn with { Layers = LayerKind.Adder, Epochs = 2, LearningRate = 0.1, BatchNormBatches = 16 });
        Assert.True(from.History[0].Train["loss"] < 0.7 * fresh.History[1].Train["loss"], $"{from.History[0].Train} against {fresh.History[1].Train}");
        Assert.True(from.Last!.TestTop1 > 0.9, $"{from.History[1].Test}");
        using TrainedModel trained = TrainedModel.Load(folder["from"]);
        Assert.Equal(cnn.Path, trained.Recipe.From!.Cnn);
        Assert.Equal(3, trained.Model.modules().OfType<Adder2d>().Count());
    }

    [Fact]
    public void A_file_of_weights_gives_the_same_start_and_the_run_goes_on_without_it_bit_for_bit()
    {
        using TempFolder folder = new();
        string file = folder["cnn.safetensors"];
        File.Copy(Directory.GetFiles(System.IO.Path.Combine(cnn.Path, "checkpoints"), "epoch-0004.safetensors").Single(), file);
        TrainingResult straight = Stripes.Run(folder["straight"], Cnn.StartingFrom(file) with { Epochs = 2 });
        TrainingResult ofRun = Stripes.Run(folder["of run"], Cnn.StartingFrom(cnn.LastOnly(folder["last"])) with { Epochs = 2 });
        Assert.Equal(Small.WithoutTimes(straight.History), Small.WithoutTimes(ofRun.History));

        Stripes.Run(folder["resumed"], Cnn.StartingFrom(file) with { Epochs = 2 }, stop: p => p is { Epoch: 2, Batch: 2 });
        File.Delete(file);
        TrainingResult resumed = Stripes.Run(folder["resumed"], Cnn);
        Assert.Equal(Small.WithoutTimes(straight.History), Small.WithoutTimes(resumed.History));
        Assert.Equal(Small.State(folder["straight"]), Small.State(folder["resumed"]));
    }

    [Fact]
    public void What_trained_a_CNN_is_told_by_the_file_whatever_it_is_called()
    {
        using TempFolder folder = new();
        using TrainedModel trained = TrainedModel.Load(cnn.Path);
        string weights = folder["3f9c2b71"], bare = folder["bare.safetensors"], onnx = folder["cnn.bin"];
        File.Copy(trained.WeightsPath, weights);
        Safetensors.Write(bare, Safetensors.Read(weights).Tensors);
        OnnxFile.Save(trained.Model.ToGraph(new FeatureShape(1, 32, 32)), onnx);
        Assert.Equal(trained.Recipe, CnnStart.RecipeOf(weights));
        Assert.Null(CnnStart.RecipeOf(bare));
        Assert.Null(CnnStart.RecipeOf(onnx));
    }

    [Fact]
    public void A_graph_gives_the_CNN_with_its_BatchNorms_even_where_they_are_folded_and_its_layers_have_other_names()
    {
        using TempFolder folder = new();
        using var scope = NewDisposeScope();
        using TrainedModel trained = TrainedModel.Load(cnn.Path);
        NetworkGraph graph = trained.Model.ToGraph(new FeatureShape(1, 32, 32));
        using DataLoader images = new(Stripes.Train, Small.Plain, 32, shuffle: false, seed: 0);
        using Batch first = images.Epoch(0, TestContext.Current.CancellationToken).First();
        using FeatureTap norm = new((nn.Module<Tensor, Tensor>)trained.Model.named_modules().Single(m => m.name == "bn3").module, always: true);
        Tensor batch = first.ImageTensor(), expected = trained.Model.call(batch);
        Tensor outputs = norm.Take().transpose(0, 1).flatten(1);
        foreach (NetworkGraph form in (NetworkGraph[])[graph, graph.Fuse(), Folded(graph)])
        {
            using nn.Module<Tensor, Tensor> made = CnnOfGraph.Create(form, "lenet5-bn", [batch]);
            Assert.True(made.call(batch).allclose(expected, rtol: 1e-3, atol: 1e-3));
            // A BatchNorm's weight is the deviation of what it gives, its bias the mean.
            Assert.True(made.get_parameter("bn3.weight")!.abs().allclose(outputs.std(1, unbiased: false), rtol: 1e-2, atol: 1e-3));
            Assert.True(made.get_parameter("bn3.bias")!.allclose(outputs.mean([1L]), rtol: 1e-2, atol: 1e-3));
        }

        string onnx = folder["cnn.onnx"];
        OnnxFile.Save(Folded(graph), onnx);
        TrainingResult result = Stripes.Run(folder["from"], Cnn.StartingFrom(onnx) with { Epochs = 2 });
        Assert.True(result.Last!.TestTop1 > 0.6, $"{result.Last!.Test}");
        Assert.Contains("ResNet-20 cannot start from", Refused("resnet20", onnx), StringComparison.Ordinal);
        Assert.Contains("It has no layer for 'conv1' of ResNet-20, with weights of [16, 1, 3, 3]", Refused("resnet20", onnx), StringComparison.Ordinal);

        GraphNode[] tanh = [.. graph.Nodes.Select(n => n.Name == "relu2" ? new HardTanhNode { Name = n.Name, Inputs = n.Inputs, Minimum = 0, Maximum = 0.5f } : n)];
        string other = folder["other.onnx"];
        OnnxFile.Save(new NetworkGraph(tanh, graph.Outputs), other);
        Assert.Contains("but another network is made of them", Refused("lenet5-bn", other), StringComparison.Ordinal);

        string Refused(string model, string path) =>
            Assert.Throws<TrainingException>(() => Stripes.Run(folder["refused"], Cnn.StartingFrom(path) with { Model = model })).Message;
    }

    /// <summary>As PyTorch's exporter writes a network in evaluation mode: BatchNorms in the convolutions' weights, names without meaning.</summary>
    private static NetworkGraph Folded(NetworkGraph graph)
    {
        Dictionary<string, string> renamed = [];
        List<GraphNode> nodes = [];
        foreach (GraphNode node in graph.Nodes)
        {
            string[] inputs = [.. node.Inputs.Select(input => renamed[input])];
            if (node is BatchNormNode norm)
            {
                ConvolutionNode conv = (ConvolutionNode)nodes[^1];
                Epilogue affine = norm.ToEpilogue(conv.Bias);
                float[] scale = affine.Scale!.ToFloats(), mean = affine.Mean!.ToFloats(), shift = affine.Shift!.ToFloats(), weights = conv.Filters.ToFloats();
                nodes[^1] = conv with
                {
                    Filters = TensorData.FromFloats([.. weights.Select((w, i) => w * scale[i / conv.SumLength])], conv.Filters.Shape),
                    Bias = TensorData.FromFloats([.. shift.Select((s, c) => s - mean[c] * scale[c])], shift.Length),
                };
                renamed[node.Name] = inputs[0];
                continue;
            }

            renamed[node.Name] = node is InputNode ? node.Name : $"node_{nodes.Count}";
            nodes.Add(node with { Name = renamed[node.Name], Inputs = inputs });
        }

        return new NetworkGraph(nodes, graph.Outputs.Select(output => output with { Node = renamed[output.Node] }));
    }

    [Fact]
    public void What_is_no_CNN_of_the_model_is_told_in_a_sentence_and_leaves_no_folder()
    {
        using TempFolder folder = new();
        Stripes.Run(folder["adder"], Cnn.StartingFrom(cnn.Path) with { Epochs = 1 });
        Assert.Contains(
            "LeNet-5-BN cannot start from", Refused(Cnn.StartingFrom(folder["adder"])), StringComparison.Ordinal);
        Assert.Contains("Its layer 'conv2' is no ordinary convolution", Refused(Cnn.StartingFrom(folder["adder"])), StringComparison.Ordinal);
        Assert.Contains("It is a run of the model lenet5-bn.", Refused(Cnn.StartingFrom(cnn.Path) with { Model = "resnet20" }), StringComparison.Ordinal);
        Assert.Contains("nowhere.pth", Refused(Cnn.StartingFrom(folder["nowhere.pth"])), StringComparison.Ordinal);
        Assert.Throws<ArgumentException>(() => new ClassificationTask(Cnn.StartingFrom(cnn.Path), Stripes.Train, Stripes.Test, Small.Model));

        string Refused(Recipe recipe)
        {
            string message = Assert.Throws<TrainingException>(() => Stripes.Run(folder["refused"], recipe)).Message;
            Assert.False(Directory.Exists(folder["refused"]));
            return message;
        }
    }

    [Fact]
    public void The_recipe_of_a_start_has_small_steps_and_keeps_what_it_does_not_touch()
    {
        Recipe short25 = Recipes.Find("cifar-short").Recipe, recipe = short25.StartingFrom("runs/cnn");
        Assert.Equal((0.02, 2e-4, 25, 128), (recipe.LearningRate, recipe.WeightDecay, recipe.Epochs, recipe.BatchSize));
        Assert.Equal([new GradientCentralization(), new AdaptiveScaling(0.3)], recipe.GradientTransforms);
        Assert.Equal((2.0, LayerKind.Adder), (recipe.From!.Sigma, recipe.Layers));
        Assert.Equal(16, Cnn.StartingFrom("runs/cnn").BatchNormBatches);
        Assert.Equal(recipe, Recipe.Parse(recipe.ToJson()));
        Recipe own = recipe with { LearningRate = 0.01, From = recipe.From with { Sigma = 4 } };
        Assert.Equal(own with { From = own.From with { Cnn = "other" } }, own.StartingFrom("other"));
        Assert.DoesNotContain("\"from\"", short25.ToJson(), StringComparison.Ordinal);
        Assert.Equal(
            "the recipe: layers is cnn; it must be adder where 'from' names a CNN to start from.",
            Assert.Throws<TrainingException>(() => (recipe with { Layers = LayerKind.Conv }).Validate()).Message);
        Assert.Contains("from.sigma is 0;", Assert.Throws<TrainingException>(() => Recipe.Parse("""{ "from": { "cnn": "x", "sigma": 0 } }""")).Message, StringComparison.Ordinal);
        Assert.Contains("unknown field 'from.rate'", Assert.Throws<TrainingException>(() => Recipe.Parse("""{ "from": { "cnn": "x", "rate": 1 } }""")).Message, StringComparison.Ordinal);
        Assert.Contains("the recipe", Assert.Throws<TrainingException>(() => Recipe.Parse("""{ "from": { } }""")).Message, StringComparison.Ordinal);
    }
}
