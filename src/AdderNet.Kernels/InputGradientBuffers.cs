using System.Runtime.Intrinsics;

namespace AdderNet.Kernels;

/// <summary>The arrays of one task of an input gradient.</summary>
internal readonly unsafe struct InputGradientBuffers
{
    /// <summary>Pixel offsets and sums are padded by so many, so that a register tile may be partly empty.</summary>
    public const int Slack = 8;

    public readonly float* Patch, ChannelSums, WindowSums, X, Sums, PlainSums;
    public readonly nint* Offsets, Pixels;
    public readonly int* Places, RowSegments;
    public readonly SeenSegments* Seen;

    public InputGradientBuffers(ref Carver carver, in Window window, int lanes)
    {
        int pixels = window.MaxPixels + Slack;
        Offsets = carver.Take<nint>(pixels);
        Places = carver.Take<int>(pixels);
        Seen = carver.Take<SeenSegments>(pixels);
        RowSegments = carver.Take<int>(window.Y.Taps + 1);
        Pixels = carver.Take<nint>(pixels);
        WindowSums = carver.Take<float>(pixels);
        X = carver.Take<float>(pixels * lanes);
        Sums = carver.Take<float>(pixels * lanes);
        PlainSums = carver.Take<float>(pixels * lanes);
        ChannelSums = carver.Take<float>(WindowSums<Simd128, Vector128<float>>.ScratchLength(window));
        Patch = carver.Take<float>(window.PatchLength);
    }
}

/// <summary>The segments outside which a register tile's pixels meet only padding.</summary>
internal readonly record struct SeenSegments(int From, int To);
