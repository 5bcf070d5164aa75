using System.Runtime.Intrinsics;

namespace AdderNet.Kernels.Bytes;

/// <summary>How a layer's pixels are put into vectors.</summary>
/// <param name="Lanes">Bytes in a vector: 64, 32 or 16.</param>
/// <param name="Images">Images side by side in a row of pixels.</param>
/// <param name="Strips">Strips that a wide image is cut into.</param>
/// <param name="Apart">Whether each row of the filter has rows of its own in the patch.</param>
internal readonly record struct ByteChoice(int Lanes, int Images, int Strips, bool Apart)
{
    /// <summary>The whole decision, with its reasons.</summary>
    public static ByteChoice Select(AdderShape shape, int images, int bits)
    {
        ByteChoice best = default;
        double least = double.PositiveInfinity;
        foreach ((int lanes, double cost) in ((int, double)[])[(64, 1.6), (32, 1), (16, 1)])
        {
            bool there = lanes switch { 64 => Vector512.IsHardwareAccelerated, 32 => Vector256.IsHardwareAccelerated, _ => true };
            if (!there)
            {
                continue;
            }

            int tile = lanes * ByteTiling.MaxVectors, strips = (shape.OutW - 1) / tile + 1;
            for (int side = 1; side <= (strips > 1 ? 1 : Math.Min(images, Math.Max(1, 2 * tile / shape.OutW))); side++)
            {
                foreach (bool apart in (bool[])[false, true])
                {
                    double total = Cycles(shape, images, new ByteTiling(shape, lanes, side, strips, apart), lanes, cost);
                    if (total < least)
                    {
                        (best, least) = (new ByteChoice(lanes, side, strips, apart), total);
                    }
                }
            }
        }

        return best;
    }

    /// <summary>Cycles for one filter of all images, as a Zen 3 core takes them with 32 bytes a vector.</summary>
    private static double Cycles(AdderShape shape, int images, ByteTiling tiling, int lanes, double cost)
    {
        // Taps left: three operations for a vector of pixels, four a cycle. Vectors that cross a cache line are loaded twice: of aligned
        // rows none, of others half, or all where a vector is a line (on an Intel core of AVX-512, 28x28 images ran at a third of the speed
        // of 32x32 ones).
        double aligned = tiling.Apart || tiling.RowWidth % lanes == 0 ? 1 : lanes == 64 ? 2.5 : 1.25;
        double taps = 0.58 * shape.FilterLength * 0.75 * tiling.Vectors * aligned;

        // Each list of taps: its loops end in branches that are not foreseen, and totals are loaded and stored. Each tile: its codes.
        int chunks = (shape.GroupC - 1) / Math.Max(1, ByteTapLists.PatchBytes / tiling.ChannelLength) + 1;
        double beside = tiling.Tiles * (60.0 * chunks + 40) + 15 * tiling.Vectors;

        // The patch, one for all filters of a group: three cycles for each copy of up to 32 bytes.
        double copies = (double)shape.GroupC * shape.KernelW * tiling.Classes.Sum(k => k.Rows) * tiling.Images * ((tiling.StripWidth - 1) / 32 + 1);
        double patch = 3 * copies * tiling.Tiles / shape.GroupO;

        // Whole groups of images are computed, the last one perhaps with empty places.
        return ((images - 1) / tiling.Images + 1.0) * tiling.Strips * (taps * cost + beside + patch);
    }
}
