using AdderNet.Checkpoints;
using static TorchSharp.torch;

namespace AdderNet.Tests;

/// <summary>Inputs, outputs and gradients that the official PyTorch code computed.</summary>
public class ReferenceTests
{
    public static TheoryData<string> Files => [.. Directory.GetFiles("TestData", "adder2d_*.safetensors").Select(f => Path.GetFileName(f)).Order()];

    [Theory]
    [MemberData(nameof(Files))]
    public void Forward_gradients_and_adaptive_scaling_equal_the_official_code(string file)
    {
        using var scope = NewDisposeScope();
        TensorFile reference = Safetensors.Read(Path.Combine("TestData", file));
        Tensor weight = Read(reference, "weight"), input = Read(reference, "input").requires_grad_(true);
        using Adder2d layer = Layers.Adder2d(
            weight.shape[1], weight.shape[0], weight.shape[2],
            long.Parse(reference.Metadata["stride"]), long.Parse(reference.Metadata["padding"]));
        using (no_grad())
        {
            layer.Filters.copy_(weight);
        }

        Tensor output = layer.forward(input);
        output.backward([Read(reference, "grad_output")]);
        LearningRateScaling.Adaptive().Apply(layer);

        AssertClose(Read(reference, "output"), output, 1e-5);
        AssertClose(Read(reference, "grad_input"), input.grad!, 1e-4);
        AssertClose(Read(reference, "grad_weight_normalized"), layer.Filters.grad!, 1e-4);
    }

    private static Tensor Read(TensorFile file, string name) =>
        tensor(file.Tensors[name].ToFloats()).reshape(file.Tensors[name].Shape.ToArray());

    private static void AssertClose(Tensor expected, Tensor actual, double tolerance) =>
        Assert.InRange(((expected - actual).abs().max() / expected.abs().max()).item<float>(), 0, tolerance);
}
