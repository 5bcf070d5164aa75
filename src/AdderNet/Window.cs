using AdderNet.Kernels;
using static TorchSharp.torch;

namespace AdderNet;

/// <summary>How a layer's window walks over its input; each pair is (rows, columns).</summary>
internal sealed record Window((long H, long W) Stride, (long H, long W) Padding, (long H, long W) Dilation, long Groups)
{
    /// <summary>The sizes of one call, checked.</summary>
    public AdderShape Shape(Tensor input, long[] filters)
    {
        var (x, f) = (input.shape, filters);
        if (x.Length != 4 || x[1] != f[1] * Groups)
        {
            throw new ArgumentException(
                $"Adder2d takes an input of shape [N, {f[1] * Groups}, H, W]; this one is [{string.Join(", ", x)}].");
        }

        if (input.dtype != ScalarType.Float32 || input.device_type != TorchSharp.DeviceType.CPU)
        {
            throw new ArgumentException(
                $"Adder2d computes in float32 on the CPU; this input is {input.dtype} on {input.device}. Convert it with .to(float32, CPU).");
        }

        return Shape(x, f);
    }

    private AdderShape Shape(long[] x, long[] f)
    {
        var shape = new AdderShape(Size(x[0]), Size(x[1]), Size(x[2]), Size(x[3]), Size(f[0]), Size(f[2]), Size(f[3]))
        {
            StrideH = Size(Stride.H),
            StrideW = Size(Stride.W),
            PaddingH = Size(Padding.H),
            PaddingW = Size(Padding.W),
            DilationH = Size(Dilation.H),
            DilationW = Size(Dilation.W),
            Groups = Size(Groups),
        };
        shape.Validate();
        return shape;
    }

    private static int Size(long value) =>
        value <= int.MaxValue ? (int)value : throw new ArgumentException($"The size {value} is beyond the {int.MaxValue} one call takes.");
}
