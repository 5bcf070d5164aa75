using AdderNet.Graph;
using AdderNet.Kernels;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace AdderNet;

/// <summary>
/// The adder layer of "AdderNet: Do We Really Need Multiplications in Deep Learning?" (Chen et al., CVPR 2020) as a TorchSharp
/// module: input [N, C, H, W], output [N, O, H', W'], float32. Made by <see cref="Layers"/>.
/// </summary>
/// <remarks>
/// The filters are the parameter <c>adder</c> [O, C / groups, kernel rows, kernel columns], as in the official code's state_dict, and
/// start as N(0, 1). Follow the layer with BatchNorm: its outputs are never positive and their variance is large. Train it with
/// <see cref="LearningRateScaling"/>. Computes on the CPU; channels-last inputs are read in place.
/// </remarks>
public sealed class Adder2d : nn.Module<Tensor, Tensor>
{
    // The fields' names are the state_dict's keys.
#pragma warning disable CA2213 // The base class disposes registered parameters.
    private readonly Parameter adder;
    private readonly Parameter? bias;
#pragma warning restore CA2213

    internal Adder2d(
        long inChannels, long outChannels, (long, long) kernelSize, (long, long) stride, (long, long) padding, (long, long) dilation,
        long groups, bool bias, WeightGradient gradient, InputGradient inputGradient)
        : base(nameof(Adder2d))
    {
        if (groups < 1 || inChannels < 1 || outChannels < 1 || inChannels % groups != 0 || outChannels % groups != 0)
        {
            throw new ArgumentException(
                $"Channels in ({inChannels}) and out ({outChannels}) must be positive multiples of groups ({groups}).");
        }

        if (kernelSize is not ( > 0, > 0) || stride is not ( > 0, > 0) || dilation is not ( > 0, > 0) || padding is not ( >= 0, >= 0))
        {
            throw new ArgumentException(
                $"Kernel size {kernelSize}, stride {stride} and dilation {dilation} must be at least 1, padding {padding} at least 0.");
        }

        Window = new WindowGeometry(
            Size(kernelSize.Item1), Size(kernelSize.Item2), Size(stride.Item1), Size(stride.Item2), Size(padding.Item1), Size(padding.Item2),
            Size(dilation.Item1), Size(dilation.Item2));
        Groups = groups;
        adder = new Parameter(randn(outChannels, inChannels / groups, kernelSize.Item1, kernelSize.Item2));
        this.bias = bias ? new Parameter(zeros(outChannels)) : null;
        (Gradient, InputGradient) = (gradient, inputGradient);
        RegisterComponents();
    }

    /// <summary>The gradient the filters get in the next backward pass.</summary>
    public WeightGradient Gradient { get; set; }

    /// <summary>The gradient that goes on to the input in the next backward pass.</summary>
    public InputGradient InputGradient { get; set; }

    /// <summary>The filters F, [O, C / groups, kernel rows, kernel columns].</summary>
    public Parameter Filters => adder;

    /// <summary>What each output channel is shifted by, [O]; null for a layer without bias.</summary>
    public Parameter? Bias => bias;

    /// <summary>Rows and columns from one window to the next.</summary>
    public (long H, long W) Stride => (Window.StrideH, Window.StrideW);

    /// <summary>Rows of zeros above and below the input, columns left and right.</summary>
    public (long H, long W) Padding => (Window.PaddingH, Window.PaddingW);

    /// <summary>Rows and columns between two taps of a filter.</summary>
    public (long H, long W) Dilation => (Window.DilationH, Window.DilationW);

    /// <summary>Groups of channels that see only each other.</summary>
    public long Groups { get; }

    /// <summary>
    /// What an adder layer's (or a synchronized BatchNorm's) backward pass failed with in this thread's latest <c>backward()</c>, for example that a tensor it needs was
    /// changed in place; null where none failed. <c>backward()</c> itself then throws an
    /// <see cref="System.Runtime.InteropServices.ExternalException"/> of libtorch's, which speaks of an invalid gradient, since no exception
    /// can pass through native code.
    /// </summary>
    public static Exception? BackwardFailure => BackwardCall.Failure;

    internal WindowGeometry Window { get; }

    /// <summary>
    /// The grid of a quantized network that this layer is fine-tuned for; null for none. With a grid it computes with inputs and filters clamped
    /// and rounded to it, Y = -(sum |x^ - w^| + sum |w - clamp(w)|), as integers would. Its gradients are those of the real filters.
    /// </summary>
    internal Grid? Grid { get; set; }

    /// <summary>
    /// What the layer computes with, of the filters that learn: those get its gradient as it is (the straight-through estimator). Null for the
    /// filters themselves.
    /// </summary>
    internal Func<Tensor, Tensor>? Constraint { get; set; }

    /// <summary>Y = -sum |X - F| over each window, plus the bias where there is one.</summary>
    /// <param name="input">[N, C, H, W], float32, on the CPU.</param>
    /// <returns>[N, O, H', W'] in channels-last memory.</returns>
    /// <exception cref="ArgumentException">The input has other dimensions, channels, type or device, or is smaller than the window.</exception>
    public override Tensor forward(Tensor input) => Compare(input, 0);

    /// <summary>The same with the inner part of the filters, over the same places of the input.</summary>
    /// <param name="input">As for <see cref="forward"/>.</param>
    /// <param name="border">Rows and columns that the filters lose on each side; no more than the layer pads.</param>
    internal Tensor Compare(Tensor input, int border)
    {
        AdderShape shape = Shape(input, border);
        // The scope ends TorchSharp's bookkeeping copies of the output with this call rather than with the batch.
        using var scope = NewDisposeScope();
        // Subtracted first, so that the zero is exact.
        Tensor all = Constraint is null ? adder : (adder - adder.detach()).Add(Constraint(adder.detach()));
        Tensor filters = border == 0 ? all : all[.., .., border..^border, border..^border];
        Tensor x = Grid is null ? input : GridTensors.StraightThrough(input, Grid);
        Tensor? rounded = Grid is null ? null : GridTensors.Rounded(filters, Grid);
        Tensor y = is_grad_enabled() && (input.requires_grad || adder.requires_grad)
            ? AdderFunction.apply(x, filters, new AdderCall(shape, Gradient, InputGradient, rounded))
            : AdderTensors.Forward(shape, x, rounded ?? filters);
        if (Grid is not null)
        {
            y = y - GridTensors.Outside(filters, Grid).view(1, -1, 1, 1);
        }

        return (bias is null ? y : y.Plus(bias.view(1, -1, 1, 1))).MoveToOuterDisposeScope();
    }

    /// <summary>The sizes of one call, checked.</summary>
    private AdderShape Shape(Tensor input, int border)
    {
        var (x, f) = (input.shape, adder.shape);
        if (x.Length != 4 || x[1] != f[1] * Groups)
        {
            throw new ArgumentException(
                $"Adder2d takes an input of shape [N, {f[1] * Groups}, H, W]; this one is [{string.Join(", ", x)}].");
        }

        if (input.dtype != ScalarType.Float32 || input.device_type != DeviceType.CPU)
        {
            throw new ArgumentException(
                $"Adder2d computes in float32 on the CPU; this input is {input.dtype} on {input.device}. Convert it with .to(float32, CPU).");
        }

        AdderShape shape = new(Size(x[0]), Size(x[1]), Size(x[2]), Size(x[3]), Size(f[0]), Window.KernelH - 2 * border, Window.KernelW - 2 * border)
        {
            StrideH = Window.StrideH,
            StrideW = Window.StrideW,
            PaddingH = Window.PaddingH - border * Window.DilationH,
            PaddingW = Window.PaddingW - border * Window.DilationW,
            DilationH = Window.DilationH,
            DilationW = Window.DilationW,
            Groups = Size(Groups),
        };
        shape.Validate();
        return shape;
    }

    private static int Size(long value) =>
        value <= int.MaxValue ? (int)value : throw new ArgumentException($"The size {value} is beyond the {int.MaxValue} one call takes.");
}
