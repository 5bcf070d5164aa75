using AdderNet.Kernels;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace AdderNet.Models;

/// <summary>A layer that ends in a BatchNorm, in one step: relu(BatchNorm(layer(x)) + residual).</summary>
internal interface IFusedLayer
{
    /// <summary>The output; <paramref name="residual"/>, of its shape, is added before a ReLU that then always follows.</summary>
    Tensor Run(Tensor input, Tensor? residual);
}

/// <summary>An adder layer with its BatchNorm and ReLU in the kernel's epilogue.</summary>
internal sealed class FusedAdder : nn.Module<Tensor, Tensor>, IFusedLayer
{
    private readonly Window window;
    private readonly long[] filtersShape;
    private readonly PackedFilters filters;
    private readonly BatchNormFold norm;
    private readonly bool relu;

    public FusedAdder(Adder2d layer, BatchNorm2d norm, bool relu)
        : base(nameof(FusedAdder))
    {
        (window, filtersShape, this.relu) = (layer.Geometry, layer.Filters.shape, relu);
        filters = AdderTensors.Pack(layer.Filters, window.SmallestShape(filtersShape));
        this.norm = BatchNormFold.Of(norm, layer.Bias);
    }

    public override Tensor forward(Tensor input) => Run(input, null);

    public Tensor Run(Tensor input, Tensor? residual) =>
        AdderTensors.Forward(window.Shape(input, filtersShape), input, filters, norm, residual, relu || residual is not null);
}

/// <summary>An ordinary convolution whose weights have taken in the BatchNorm.</summary>
internal sealed class FusedConvolution : nn.Module<Tensor, Tensor>, IFusedLayer
{
    private readonly Tensor weight, bias;
    private readonly long[] stride, padding, dilation;
    private readonly long groups;
    private readonly bool relu;

    public FusedConvolution(Conv2d layer, BatchNorm2d norm, bool relu)
        : base(nameof(FusedConvolution))
    {
        BatchNormFold fold = BatchNormFold.Of(norm, layer.bias);
        float[] shift = [.. fold.Shift.Zip(fold.Mean, fold.Scale).Select(c => c.First - c.Second * c.Third)];
        using Tensor factors = tensor(fold.Scale), column = factors.view(-1, 1, 1, 1);
        (weight, bias) = (layer.weight!.mul(column).detach().DetachFromDisposeScope(), tensor(shift).DetachFromDisposeScope());
        (stride, padding, dilation, groups, this.relu) = (layer.stride, layer.padding!, layer.dilation, layer.groups, relu);
        RegisterComponents();
    }

    public override Tensor forward(Tensor input) => Run(input, null);

    public Tensor Run(Tensor input, Tensor? residual)
    {
        Tensor y = nn.functional.conv2d(input, weight, bias, stride, padding, dilation, groups);
        y = residual is null ? y : y.add_(residual);
        return relu || residual is not null ? y.relu_() : y;
    }
}
