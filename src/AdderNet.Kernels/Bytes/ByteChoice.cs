using System.Runtime.Intrinsics;

namespace AdderNet.Kernels.Bytes;

/// <summary>How a layer's pixels are put into vectors.</summary>
/// <param name="Lanes">Bytes in a vector: 64, 32 or 16.</param>
/// <param name="Images">Images side by side in a row of pixels.</param>
/// <param name="Strips">Strips that a wide image is cut into.</param>
internal readonly record struct ByteChoice(int Lanes, int Images, int Strips)
{
    /// <summary>The whole decision, with its reasons.</summary>
    public static ByteChoice Select(AdderShape shape, int images, int bits)
    {
        ByteChoice best = default;
        double least = double.PositiveInfinity;
        foreach ((int lanes, double cost) in ((int, double)[])[(64, 1.9), (32, 1), (16, 1)])
        {
            bool there = lanes switch { 64 => Vector512.IsHardwareAccelerated, 32 => Vector256.IsHardwareAccelerated, _ => true };
            if (!there)
            {
                continue;
            }

            int tile = lanes * ByteTiling.MaxVectors, strips = (shape.OutW - 1) / tile + 1;
            for (int side = 1; side <= (strips > 1 ? 1 : Math.Min(images, Math.Max(1, 2 * tile / shape.OutW))); side++)
            {
                // Cycles for one filter, as a Zen 3 core takes them. Whole groups of images are computed, the last one perhaps with empty places.
                ByteTiling tiling = new(shape, lanes, side, strips);
                double supers = ((images - 1) / side + 1.0) * tiling.Strips;
                int chunks = (shape.GroupC - 1) / Math.Max(1, ByteTapLists.PatchBytes / tiling.ChannelLength) + 1;

                // Taps left: three operations for a vector of pixels, four a cycle. Vectors that cross a cache line are loaded twice: of
                // aligned rows none, else half of them (of 64 bytes all).
                double aligned = tiling.RowWidth % lanes == 0 || shape.KernelH == 1 ? 1 : lanes == 64 ? 1.25 : 1.05;
                double taps = 0.58 * shape.FilterLength * 0.75 * tiling.Vectors * aligned;

                // Each list of taps: its loops end in branches that are not foreseen, and totals are loaded and stored. Each tile: codes.
                double beside = tiling.Tiles * (60.0 * chunks + 40) + 15 * tiling.Vectors;

                // The patch, one for all filters of a group: two cycles a vector.
                double patch = 2.0 * tiling.Tiles * shape.GroupC * tiling.ChannelLength / lanes / shape.GroupO;
                double total = supers * (taps * cost + beside + patch * cost);
                if (total < least)
                {
                    (best, least) = (new ByteChoice(lanes, side, strips), total);
                }
            }
        }

        return best;
    }
}
