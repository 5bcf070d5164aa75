using AdderNet.Checkpoints;
using AdderNet.Data;
using AdderNet.Export;
using AdderNet.Graph;
using AdderNet.Models;
using AdderNet.Training.Distillation;
using TorchSharp;
using static TorchSharp.torch;

namespace AdderNet.Training.Tests.Distillation;

public sealed class DistillationTests(TrainedCnn cnn) : IClassFixture<TrainedCnn>
{
    private static readonly Recipe Student = Stripes.Cnn.ForStudent() with { LearningRate = 0.1, Epochs = 2 };

    [Fact]
    public void A_student_learns_from_its_teacher_what_wrong_labels_do_not_say()
    {
        using TempFolder folder = new();
        Recipe taught = Taught(new DistillationRecipe { Weight = 1, Temperature = 2 }, cnn.Path) with { Epochs = 10 };
        TrainingResult result = Stripes.Run(folder["taught"], taught, train: Stripes.Data(96, seed: 1, wrong: true));
        // The labels alone would teach to say the first class, a quarter of the images.
        Assert.True(result.Best!.TestTop1 > 0.6, $"{result.Best!.Test}");
        Assert.True(result.Last!.Train["softLoss"] < 0.5 * result.History[0].Train["softLoss"], $"{result.History[0].Train} fell to {result.Last.Train}");
        using TrainedModel student = TrainedModel.Load(folder["taught"]);
        Assert.Equal(3, student.Model.modules().OfType<Adder2d>().Count());
        Assert.Equal(64, student.Recipe.Distillation!.Teachers.Single().Sha256!.Length);
    }

    [Fact]
    public void The_soft_loss_is_the_squared_temperature_times_the_divergence_from_the_teachers_mean()
    {
        using var scope = NewDisposeScope();
        Random random = new(1);
        float[][] z = [.. Enumerable.Range(0, 5).Select(_ => (float[])[.. Enumerable.Range(0, 4).Select(_ => random.NextSingle() * 6 - 3)])];
        float[][] teacher = [.. z.Select(row => (float[])[.. row.Reverse()])];
        const double temperature = 3;
        double expected = 0;
        foreach ((float[] mine, float[] theirs) in z.Zip(teacher))
        {
            double[] q = Softmax(mine), p = Softmax(theirs);
            expected += temperature * temperature * p.Zip(q, (pi, qi) => pi * Math.Log(pi / qi)).Sum() / z.Length;
        }

        Tensor probabilities = tensor(teacher.SelectMany(row => Softmax(row)).Select(v => (float)v).ToArray()).view(5, 4);
        Tensor logits = tensor(z.SelectMany(row => row).ToArray()).view(5, 4);
        Assert.Equal(expected, Lesson.SoftLoss(logits, probabilities, temperature).item<float>(), 1e-4);
        // What a teacher is sure of has classes of probability 0.
        Assert.Equal(0, Lesson.SoftLoss(tensor([100f, 0f]).view(1, 2), tensor([1f, 0f]).view(1, 2), 1).item<float>(), 1e-6);

        static double[] Softmax(float[] row)
        {
            double[] e = [.. row.Select(v => Math.Exp(v / temperature))];
            return [.. e.Select(v => v / e.Sum())];
        }
    }

    [Fact]
    public void Teachers_of_every_form_give_the_same_logits_and_see_images_normalized_as_they_know_them()
    {
        using TempFolder folder = new();
        using TrainedModel trained = TrainedModel.Load(cnn.Path);
        NetworkGraph graph = trained.Model.ToGraph(new FeatureShape(1, 32, 32));
        string file = trained.WeightsPath, pth = folder["cnn.pth"], onnx = folder["cnn.onnx"], own = folder["graph.safetensors"];
        CheckpointFiles.Convert(file, pth);
        OnnxFile.Save(graph, onnx);
        graph.With(new NetworkMetadata(Preparation: new InputPreparation([0.25f], [0.5f]))).Save(own);

        using DataLoader images = new(Stripes.Test, Small.Plain, 8, shuffle: false, seed: 0);
        using Batch batch = images.Epoch(0, TestContext.Current.CancellationToken).First();
        using var scope = NewDisposeScope();
        using var guard = no_grad();
        Tensor expected = trained.Model.call(batch.ImageTensor());
        foreach (string path in (string[])[cnn.Path, file, pth, onnx])
        {
            using TeacherModel teacher = Load(path);
            Assert.True(teacher.Logits(batch.ImageTensor()).allclose(expected, atol: 1e-4), path);
        }

        // (x - 0.5) / 0.25 of the student is (x - 0.25) / 0.5 = 0.5 * (x - 0.5) / 0.25 + 0.5 of this teacher.
        using TeacherModel other = Load(own);
        Assert.True(other.Logits(batch.ImageTensor()).allclose(trained.Model.call(batch.ImageTensor() * 0.5f + 0.5f), atol: 1e-4));

        TeacherModel Load(string path) => TeacherModel.Load(new Teacher(path), "resnet20", images, Small.Plain, Stripes.Train.ClassNames);
    }

    [Fact]
    public void A_student_of_two_teachers_and_their_hidden_layers_resumes_bit_for_bit_and_misses_a_teacher_that_is_gone_or_another()
    {
        using TempFolder folder = new();
        string second = folder["second.pth"];
        CheckpointFiles.Convert(Directory.GetFiles(Path.Combine(cnn.Path, "checkpoints"), "epoch-0004.safetensors").Single(), second);
        // Layers of other channels, and of other rows and columns.
        Recipe recipe = Taught(new DistillationRecipe { Hints = [new("bn2", "bn2"), new("bn3", "bn2")], HintWeight = 0.5 }, cnn.Path, second) with { Epochs = 3 };
        TrainingResult straight = Stripes.Run(folder["straight"], recipe);
        Assert.True(straight.Last!.Train["hintLoss"] < 0.8 * straight.History[0].Train["hintLoss"], $"{straight.History[0].Train} fell to {straight.Last.Train}");
        Stripes.Run(folder["resumed"], recipe, stop: p => p is { Epoch: 3, Batch: 2 });

        File.Move(second, folder["elsewhere.pth"]);
        string gone = Assert.Throws<TrainingException>(() => Stripes.Run(folder["resumed"], recipe)).Message;
        Assert.Contains($"The teacher {second} is not there", gone, StringComparison.Ordinal);
        CheckpointFiles.Convert(Directory.GetFiles(folder["straight/checkpoints"], "epoch-0003.safetensors").Single(), second);
        string other = Assert.Throws<TrainingException>(() => Stripes.Run(folder["resumed"], recipe)).Message;
        Assert.Contains($"The teacher {second} is not the one that this run began with", other, StringComparison.Ordinal);

        File.Move(folder["elsewhere.pth"], second, overwrite: true);
        TrainingResult resumed = Stripes.Run(folder["resumed"], recipe);
        Assert.Equal(Small.WithoutTimes(straight.History), Small.WithoutTimes(resumed.History));
        SortedDictionary<string, string> state = Small.State(folder["straight"]);
        Assert.Equal(state, Small.State(folder["resumed"]));
        Assert.Contains("momentum hint2/state/weight", state.Keys);
        Assert.DoesNotContain("momentum hint1/state/weight", state.Keys);
    }

    [Fact]
    public void A_CNN_that_learns_at_the_same_time_teaches_is_resumed_bit_for_bit_and_stays_out_of_the_weights()
    {
        using TempFolder folder = new();
        Recipe recipe = Student with { Distillation = new DistillationRecipe { Progressive = new ProgressiveDistillation() }, Epochs = 8 };
        TrainingResult straight = Stripes.Run(folder["straight"], recipe);
        Assert.True(straight.Best!.TestTop1 > 0.6, $"{straight.Best!.Test}");
        Assert.True(straight.Last!.Train["teacherTop1"] > 0.9, $"{straight.Last.Train}");
        Assert.InRange(straight.Last.Train["kernelLoss"], 1e-3, 100);

        Stripes.Run(folder["resumed"], recipe, stop: p => p is { Epoch: 3, Phase: TrainingPhase.Train, Batch: 2 });
        TrainingResult resumed = Stripes.Run(folder["resumed"], recipe);
        Assert.Equal(Small.WithoutTimes(straight.History), Small.WithoutTimes(resumed.History));
        SortedDictionary<string, string> state = Small.State(folder["straight"]);
        Assert.Equal(state, Small.State(folder["resumed"]));
        Assert.Contains("momentum teacher/state/conv2.weight", state.Keys);
        Assert.Contains("momentum kernels3/rate", state.Keys);
        Assert.Contains("momentum kernels3/state/rho.weight", state.Keys);
        using nn.Module<Tensor, Tensor> plain = AdderNetModels.Create("lenet5-bn", classes: Small.Classes);
        Assert.Equal(
            plain.state_dict().Keys.Order(), TrainedModel.ReadWeights(folder["straight"], CheckpointChoice.Last).Tensors.Keys.Order());
    }

    [Fact]
    public void Kernels_are_of_an_adder_layers_distances_and_a_convolutions_products_and_move_the_adder_layer_alone()
    {
        using var scope = NewDisposeScope();
        const double sigma = 0.8;
        using KernelMatch match = new(3, sigma);
        Tensor adder = randn(2, 3, 4, 4, requires_grad: true), convolution = randn(2, 3, 4, 4, requires_grad: true);
        double expected = adder.detach().data<float>().Zip(convolution.detach().data<float>(), (a, c) =>
        {
            double h = Math.Exp(Math.Min(4, a / (2 * sigma * sigma))), g = Math.Exp(Math.Min(4, -c / (2 * sigma * sigma)));
            return (h - g) * (h - g);
        }).Average();
        Tensor loss = match.call(adder, convolution);
        Assert.Equal(expected, loss.item<float>(), 1e-4 * expected);
        loss.backward();
        Assert.True(adder.grad!.count_nonzero().item<long>() > 0);
        Assert.Null(convolution.grad);
        Assert.All(match.named_parameters(), p => Assert.True(p.parameter.grad!.count_nonzero().item<long>() > 0, p.name));
    }

    [Fact]
    public void The_CNN_of_a_progressive_run_learns_from_labels_alone()
    {
        using TempFolder folder = new();
        Recipe recipe = Student with { Distillation = new DistillationRecipe { Progressive = new ProgressiveDistillation() }, BatchNormBatches = 0, Epochs = 1 };
        Stripes.Run(folder["strong"], recipe with { Distillation = recipe.Distillation with { Weight = 0.9, Progressive = new() { Beta = 3 } } });
        Stripes.Run(folder["weak"], recipe with { Distillation = recipe.Distillation with { Weight = 0, Progressive = new() { Beta = 0 } } });
        SortedDictionary<string, string> strong = Small.State(folder["strong"]), weak = Small.State(folder["weak"]);
        Assert.Equal(strong["momentum teacher/state/conv3.weight"], weak["momentum teacher/state/conv3.weight"]);
        Assert.NotEqual(strong["weights conv3.adder"], weak["weights conv3.adder"]);
    }

    [Fact]
    public void What_cannot_teach_is_told_in_a_sentence_and_leaves_no_folder()
    {
        using TempFolder folder = new();
        Assert.Contains("The teacher nowhere is not there", Refused(new(), "nowhere"), StringComparison.Ordinal);
        string junk = folder["junk.pth"];
        File.WriteAllText(junk, "no weights");
        Assert.Contains("junk.pth", Refused(new(), junk), StringComparison.Ordinal);
        string ten = folder["ten.safetensors"];
        using (nn.Module<Tensor, Tensor> model = AdderNetModels.Create("lenet5-bn", LayerKind.Conv))
        {
            Safetensors.Write(ten, StateDict.FromModule(model), new Dictionary<string, string>());
        }

        Assert.Contains("it gives [10], not one logit for each of 4 classes", Refused(new(), ten), StringComparison.Ordinal);
        Assert.Contains("The student has no layer 'layer1' to match; its layers are conv1, bn1", Refused(new() { Hints = [new("layer1", "bn1")] }, cnn.Path), StringComparison.Ordinal);
        Assert.Contains("has no layer 'layer1' to match", Refused(new() { Hints = [new("bn1", "layer1")] }, cnn.Path), StringComparison.Ordinal);
        Assert.Contains("which cannot be matched", Refused(new() { Hints = [new("bn1", "flatten")] }, cnn.Path), StringComparison.Ordinal);

        string Refused(DistillationRecipe recipe, params string[] teachers)
        {
            string message = Assert.Throws<TrainingException>(() => Stripes.Run(folder["refused"], Taught(recipe, teachers))).Message;
            Assert.False(Directory.Exists(folder["refused"]));
            return message;
        }
    }

    [Theory]
    [InlineData("""{ "distillation": {} }""", "distillation.teachers is empty; it must be a list of at least one")]
    [InlineData("""{ "distillation": { "teachers": [null] } }""", "distillation.teachers is a list with an empty place")]
    [InlineData("""{ "distillation": { "teachers": [{ "path": "x" }], "temperature": 0 } }""", "distillation.temperature is 0; it must be a number above 0")]
    [InlineData("""{ "distillation": { "teachers": [{ "path": "x" }], "weight": 1.5 } }""", "distillation.weight is 1.5; it must be 0 to 1")]
    [InlineData("""{ "distillation": { "progressive": {} }, "layers": "cnn" }""", "left out where layers is not adder")]
    [InlineData("""{ "distillation": { "progressive": {}, "teachers": [{ "path": "x" }] } }""", "left out with 'progressive'")]
    [InlineData("""{ "distillation": { "progressive": { "sigma": -1 } } }""", "distillation.progressive.sigma is -1")]
    [InlineData("""{ "distillation": { "rate": 1 } }""", "unknown field 'distillation.rate'")]
    public void A_recipe_that_makes_no_sense_is_refused(string json, string says) =>
        Assert.Contains(says, Assert.Throws<TrainingException>(() => Recipe.Parse(json)).Message, StringComparison.Ordinal);

    [Fact]
    public void A_recipe_with_teachers_comes_back_from_JSON()
    {
        Recipe recipe = Taught(new DistillationRecipe { Hints = [new("layer1", "layer2")], Temperature = 2 }, "runs/a", "b.onnx");
        Assert.Equal(recipe, Recipe.Parse(recipe.ToJson()));
        Assert.DoesNotContain("distillation", Student.ToJson(), StringComparison.Ordinal);
    }

    private static Recipe Taught(DistillationRecipe recipe, params string[] teachers) =>
        Student with { Distillation = recipe with { Teachers = [.. teachers.Select(path => new Teacher(path))] } };
}
