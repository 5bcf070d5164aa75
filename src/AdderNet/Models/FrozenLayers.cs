using AdderNet.Kernels;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace AdderNet.Models;

/// <summary>A layer that ends in a BatchNorm, in one step: relu(scale * layer(x) + shift + residual).</summary>
internal interface IFrozenLayer
{
    /// <summary>The output; <paramref name="residual"/>, of its shape, is added before a ReLU that then always follows.</summary>
    Tensor Run(Tensor input, Tensor? residual);
}

/// <summary>An adder layer with its BatchNorm and ReLU in the kernel's epilogue.</summary>
internal sealed class FrozenAdder : nn.Module<Tensor, Tensor>, IFrozenLayer
{
    private readonly Window window;
    private readonly long[] filtersShape;
    private readonly PackedFilters filters;
    private readonly float[] scale, shift;
    private readonly bool relu;

    public FrozenAdder(Adder2d layer, BatchNorm2d norm, bool relu)
        : base(nameof(FrozenAdder))
    {
        (window, filtersShape, this.relu) = (layer.Geometry, layer.Filters.shape, relu);
        filters = AdderTensors.Pack(layer.Filters, window.SmallestShape(filtersShape));
        (scale, shift) = BatchNormFold.ScaleAndShift(norm, layer.Bias);
    }

    public override Tensor forward(Tensor input) => Run(input, null);

    public Tensor Run(Tensor input, Tensor? residual) =>
        AdderTensors.Forward(window.Shape(input, filtersShape), input, filters, scale, shift, residual, relu || residual is not null);
}

/// <summary>An ordinary convolution whose weights have taken in the BatchNorm.</summary>
internal sealed class FrozenConvolution : nn.Module<Tensor, Tensor>, IFrozenLayer
{
    private readonly Tensor weight, bias;
    private readonly long[] stride, padding, dilation;
    private readonly long groups;
    private readonly bool relu;

    public FrozenConvolution(Conv2d layer, BatchNorm2d norm, bool relu)
        : base(nameof(FrozenConvolution))
    {
        var (scale, shift) = BatchNormFold.ScaleAndShift(norm, layer.bias);
        using Tensor factors = tensor(scale), column = factors.view(-1, 1, 1, 1);
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

/// <summary>BatchNorm at inference is one factor and one summand a channel.</summary>
internal static class BatchNormFold
{
    /// <summary>scale = weight / sqrt(var + eps), shift = bias + (layer bias - mean) * scale.</summary>
    public static (float[] Scale, float[] Shift) ScaleAndShift(BatchNorm2d norm, Tensor? layerBias)
    {
        using var scope = NewDisposeScope();
        Tensor scale = (norm.running_var! + norm.eps).rsqrt();
        scale = norm.weight is null ? scale : scale * norm.weight;
        Tensor shift = ((layerBias ?? 0) - norm.running_mean!) * scale;
        shift = norm.bias is null ? shift : shift + norm.bias;
        return (scale.data<float>().ToArray(), shift.data<float>().ToArray());
    }
}
