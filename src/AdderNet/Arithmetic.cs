using TorchSharp;
using static TorchSharp.torch;

namespace AdderNet;

/// <summary>
/// Tensors with numbers, and sums of tensors. TorchSharp makes an object of each number, also of the 1 by which it multiplies what it adds, hands
/// libtorch the bare pointer, and no longer holds the object: the collector may free it while libtorch reads it, which then fails with "Expected
/// false to be true". Here each number is held until libtorch is done. What holds none is banned from these libraries (BannedSymbols.txt).
/// </summary>
internal static class Arithmetic
{
    /// <summary>Held for ever.</summary>
    public static Scalar One { get; } = Number(1L);

    /// <summary>A number for other operations, whose caller holds it: <c>using Scalar n = Number(0.5)</c>.</summary>
#pragma warning disable RS0030 // Here they are made.
    public static Scalar Number(double value) => value;

    /// <summary>An integer for other operations, as above.</summary>
    public static Scalar Number(long value) => value;
#pragma warning restore RS0030

    /// <summary>x + y.</summary>
    public static Tensor Plus(this Tensor x, Tensor y) => x.add(y, One);

    /// <summary>x + y.</summary>
    public static Tensor Plus(this Tensor x, double y)
    {
        using Scalar number = Number(y);
        return x.add(number, One);
    }

    /// <summary>x * y.</summary>
    public static Tensor Times(this Tensor x, double y)
    {
        using Scalar number = Number(y);
        return x.mul(number);
    }

    /// <summary>x / y.</summary>
    public static Tensor Over(this Tensor x, double y)
    {
        using Scalar number = Number(y);
        return x.div(number);
    }

    /// <summary>1 - x.</summary>
    public static Tensor FromOne(this Tensor x) => x.neg().add_(One, One);

    /// <summary>x^2.</summary>
    public static Tensor Squared(this Tensor x) => x.mul(x);

    /// <summary>x, but no less than the one and no more than the other.</summary>
    public static Tensor Clamped(this Tensor x, double least, double most)
    {
        using Scalar low = Number(least), high = Number(most);
        return x.clamp(low, high);
    }

    /// <summary>x, but no less than that.</summary>
    public static Tensor AtLeast(this Tensor x, double least)
    {
        using Scalar low = Number(least);
        return x.clamp_min(low);
    }

    /// <summary>x += y.</summary>
    public static Tensor Add(this Tensor x, Tensor y) => x.add_(y, One);

    /// <summary>x += y * z.</summary>
    public static Tensor Add(this Tensor x, Tensor y, double z)
    {
        using Scalar number = Number(z);
        return x.add_(y, number);
    }

    /// <summary>x += y.</summary>
    public static Tensor Add(this Tensor x, double y)
    {
        using Scalar number = Number(y);
        return x.add_(number, One);
    }

    /// <summary>x = x, but no less than the one and no more than the other.</summary>
    public static Tensor Clamp(this Tensor x, double least, double most)
    {
        using Scalar low = Number(least), high = Number(most);
        return x.clamp_(low, high);
    }

    /// <summary>x *= y.</summary>
    public static Tensor Scale(this Tensor x, double y)
    {
        using Scalar number = Number(y);
        return x.mul_(number);
    }
}
