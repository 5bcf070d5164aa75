using System.Runtime.Intrinsics;

namespace AdderNet.Kernels;

/// <summary>The tasks of the forward pass, which run <see cref="ForwardTile{TOps, TVec}"/> over a tile's pixels.</summary>
internal static unsafe class ForwardTask<TOps, TVec>
    where TOps : struct, ISimd<TVec>
    where TVec : struct
{
    /// <summary>Pixel offsets and sums are padded by so many, so that a register tile may be partly empty.</summary>
    private const int Slack = 8;

    /// <summary>One task: a tile of output pixels, and some or all panels of output channels.</summary>
    public static void Run(void* context, int index)
    {
        ForwardJob* job = (ForwardJob*)context;
        ref readonly Window window = ref job->Window;
        ref readonly FilterLayout layout = ref job->Layout;
        Tile tile = window.Locate(index / job->Splits);
        int pixels = tile.Pixels, maxPixels = window.MaxPixels + Slack;

        Carver carver = new(null);
        Buffers buffers = new(ref carver, window, TOps.Lanes);
        carver = new(Scratch.ForTask(carver.Size));
        buffers = new(ref carver, window, TOps.Lanes);

        float* source = window.Gather(tile, job->X, buffers.Patch, buffers.Offsets, buffers.Places, out int patchRows);
        for (int i = 0; i < Slack; i++)
        {
            buffers.Offsets[pixels + i] = buffers.Offsets[pixels - 1];
        }

        int split = index % job->Splits, group = -1;
        int panel = (int)((long)layout.Panels * split / job->Splits), end = (int)((long)layout.Panels * (split + 1) / job->Splits);
        for (; panel < end; panel++)
        {
            float* at = source;
            if (layout.Depthwise)
            {
                at += layout.Output(panel);
                ForwardDepthwise<TOps, TVec>.Compute(job, panel, at, buffers.Offsets, buffers.Sums, pixels);
                ForwardEpilogue<TOps, TVec>.Run(job, panel, tile, null, null, buffers.Sums);
                continue;
            }

            at += panel / layout.GroupPanels * window.GroupChannels;
            if (group != panel / layout.GroupPanels)
            {
                group = panel / layout.GroupPanels;
                WindowSums<TOps, TVec>.Compute(window, at, buffers.Offsets, buffers.Places, pixels, patchRows, buffers.ChannelSums, buffers.WindowSums);
            }

            Sums<FastForm>(job, panel, at, buffers.Offsets, buffers.Sums, pixels);
            bool whole = job->NoEpilogue && layout.PanelOutputs(panel) == layout.PanelVectors(panel) * TOps.Lanes;
            if (!(whole
                ? ForwardEpilogue<TOps, TVec>.RunWhole(job, panel, tile, buffers.WindowSums, buffers.Sums)
                : ForwardEpilogue<TOps, TVec>.Run(job, panel, tile, buffers.WindowSums, buffers.Sums, null)))
            {
                // NaN, infinity or overflow: the identity behind FastForm does not hold there, so take |x - f| itself.
                Sums<PlainForm>(job, panel, at, buffers.Offsets, buffers.AbsoluteSums, pixels);
                ForwardEpilogue<TOps, TVec>.Run(job, panel, tile, buffers.WindowSums, buffers.Sums, buffers.AbsoluteSums);
            }
        }
    }

    /// <summary>A panel's sums for all pixels of the tile, chunk by chunk, so that a chunk's filters are read from the first-level cache.</summary>
    private static void Sums<TForm>(ForwardJob* job, int panel, float* source, nint* offsets, float* sums, int pixels)
        where TForm : struct, IForm
    {
        int vectors = job->Layout.PanelVectors(panel), lanes = vectors * TOps.Lanes;
        float* filters = job->Filters + (nint)job->Layout.PaddedOutput(panel) * job->Layout.Elements;
        for (int i = 0; i < job->ChunkCount; i++)
        {
            Chunk chunk = job->Chunks[i];
            Segment* from = job->Segments + chunk.Segment, to = from + chunk.Segments;
            float* f = filters + from->Filter * lanes;
            for (int p = 0; p < pixels;)
            {
                int left = pixels - p;
                if (vectors == 2)
                {
                    if (left > 2)
                    {
                        ForwardTile<TOps, TVec>.Run<Tile5x2, TForm>(f, from, to, source, offsets + p, sums + p * lanes, i == 0, job->Ones);
                        p += 5;
                    }
                    else
                    {
                        ForwardTile<TOps, TVec>.Run<Tile2x2, TForm>(f, from, to, source, offsets + p, sums + p * lanes, i == 0, job->Ones);
                        p += 2;
                    }
                }
                else if (left > 4)
                {
                    ForwardTile<TOps, TVec>.Run<Tile8x1, TForm>(f, from, to, source, offsets + p, sums + p * lanes, i == 0, job->Ones);
                    p += 8;
                }
                else
                {
                    ForwardTile<TOps, TVec>.Run<Tile4x1, TForm>(f, from, to, source, offsets + p, sums + p * lanes, i == 0, job->Ones);
                    p += 4;
                }
            }
        }
    }

    /// <summary>A task's arrays.</summary>
    private readonly struct Buffers
    {
        public readonly float* Patch, ChannelSums, WindowSums, Sums, AbsoluteSums;
        public readonly nint* Offsets;
        public readonly int* Places;

        public Buffers(ref Carver carver, in Window window, int lanes)
        {
            int pixels = window.MaxPixels + Slack;
            Offsets = carver.Take<nint>(pixels);
            Places = carver.Take<int>(pixels);
            WindowSums = carver.Take<float>(pixels);
            Sums = carver.Take<float>(pixels * 2 * lanes);
            AbsoluteSums = carver.Take<float>(pixels * 2 * lanes);
            ChannelSums = carver.Take<float>(WindowSums<Simd128, Vector128<float>>.ScratchLength(window));
            Patch = carver.Take<float>(window.PatchLength);
        }
    }
}
