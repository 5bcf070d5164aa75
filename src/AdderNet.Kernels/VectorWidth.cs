using System.Runtime.Intrinsics;

namespace AdderNet.Kernels;

/// <summary>The vector widths the kernels exist in.</summary>
internal enum VectorWidth
{
    Scalar = 1,
    Vector128 = 4,
    Vector256 = 8,
    Vector512 = 16,
}

internal static class VectorWidths
{
    /// <summary>The widest vectors this processor computes with, or those that <see cref="KernelChoice.Variable"/> says.</summary>
    /// <exception cref="KernelChoiceException">The variable's value is unknown.</exception>
    public static VectorWidth Best => KernelChoice.Forced.Width ?? Widest;

    /// <summary>The widest vectors this processor computes with.</summary>
    public static VectorWidth Widest { get; } =
        Vector512.IsHardwareAccelerated ? VectorWidth.Vector512
        : Vector256.IsHardwareAccelerated ? VectorWidth.Vector256
        : Vector128.IsHardwareAccelerated ? VectorWidth.Vector128
        : VectorWidth.Scalar;

    /// <summary>The width for so many channels in vectors: no 16 lanes where 8 hold them all.</summary>
    public static VectorWidth For(int channels) =>
        Best == VectorWidth.Vector512 && channels <= 8 ? VectorWidth.Vector256 : Best;
}
