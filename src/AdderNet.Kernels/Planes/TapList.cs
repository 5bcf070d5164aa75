namespace AdderNet.Kernels;

/// <summary>A filter element that is left: where in the patch its inputs start, in bytes, and its weight.</summary>
internal readonly record struct Tap(int Offset, float Weight);

/// <summary>
/// The filter elements that a layer's inputs leave to do, in the order of the loops: for each block of a group's channels and each of its
/// filters the taps left, in the order (channel, row, column). See docs/performance.md for the identity:
/// with every input at least <see cref="Min"/>, an element w at or below it has min(x, w) = w and needs no work.
/// </summary>
internal unsafe struct TapList
{
    /// <summary>All taps; those of block b and filter o are Starts[b * O + o] to Starts[b * O + o + 1].</summary>
    public Tap* Taps;
    public int* Starts;

    /// <summary>For each filter, the sum of the weights left less that of the skipped ones.</summary>
    public float* Constants;

    /// <summary>What every input must be at least.</summary>
    public float Min;

    /// <summary>Floats that the largest list of a layer takes as a share of its filters: <see cref="Build"/> writes at most so many taps.</summary>
    public static void Carve(ref Carver carver, ref TapList list, AdderShape s, in PlaneTiling tiling)
    {
        list.Starts = carver.Take<int>((long)tiling.Blocks * s.O + 1);
        list.Constants = carver.Take<float>(s.O);
        list.Taps = carver.Take<Tap>(s.FiltersLength);
    }

    /// <summary>Writes the lists of filters [O, C / Groups, KernelH, KernelW] for inputs of a range; returns the number of taps left.</summary>
    public readonly int Build(AdderShape s, in PlaneTiling tiling, float* filters)
    {
        int* offsets = stackalloc int[Math.Min(tiling.Taps, 1024)];
        bool known = tiling.Taps <= 1024;
        for (int t = 0; known && t < tiling.Taps; t++)
        {
            offsets[t] = tiling.Offset(0, t / tiling.KernelW, t % tiling.KernelW) * sizeof(float);
        }

        int channelBytes = tiling.ChannelLength * sizeof(float);
        Tap* to = Taps;
        for (int b = 0; b < tiling.Blocks; b++)
        {
            int first = b * tiling.BlockChannels, channels = Math.Min(tiling.BlockChannels, s.GroupC - first);
            for (int o = 0; o < s.O; o++)
            {
                Starts[b * s.O + o] = (int)(to - Taps);
                float* w = filters + ((nint)o * s.GroupC + first) * tiling.Taps;
                for (int c = 0; c < channels; c++)
                {
                    int start = c * channelBytes;
                    for (int t = 0; t < tiling.Taps; t++, w++)
                    {
                        // Written always, kept if left: a branch would be guessed wrong every other time. NaN is left.
                        int offset = known ? offsets[t] : tiling.Offset(0, t / tiling.KernelW, t % tiling.KernelW) * sizeof(float);
                        *to = new Tap(start + offset, *w);
                        to += *w <= Min ? 0 : 1;
                    }
                }
            }
        }

        Starts[tiling.Blocks * s.O] = (int)(to - Taps);
        for (int o = 0; o < s.O; o++)
        {
            double sum = 0;
            float* w = filters + (nint)o * s.FilterLength;
            for (int k = 0; k < s.FilterLength; k++)
            {
                sum += w[k] <= Min ? -w[k] : w[k];
            }

            Constants[o] = (float)sum;
        }

        return (int)(to - Taps);
    }
}
