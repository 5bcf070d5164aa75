namespace AdderNet.Kernels;

/// <summary>One tile of output pixels for some filters of one group.</summary>
internal unsafe ref struct PlaneForwardTask<TOps, TVec>
    where TOps : struct, ISimd<TVec>
    where TVec : struct
{
    private readonly PlaneForwardJob* job;
    private readonly PlaneTilePlace place;
    private readonly PlaneForwardBuffers buffers;
    private readonly int group, first, filters, vectors, parts;

    // Filters of a part whose results may be wrong.
    private bool doubtful;

    public PlaneForwardTask(PlaneForwardJob* job, in PlaneTilePlace place, in PlaneForwardBuffers buffers, int from, int to)
    {
        this.job = job;
        (this.place, this.buffers, first, filters) = (place, buffers, from, to - from);
        group = from / job->Shape.GroupO;
        vectors = place.Rows * job->Tiling.Pitch / TOps.Lanes;
        parts = Window.Ceiling(vectors, PlaneTiling.MaxVectors);
    }

    private static int Tile => PlaneTiling.MaxVectors * TOps.Lanes;

    public void Run()
    {
        ref readonly PlaneTiling tiling = ref job->Tiling;
        float* side = buffers.SideSums;
        Planes sidePlane = SidePlane();
        if (!job->Distances)
        {
            ClearSide();
            new Span<byte>(buffers.Doubts, parts * filters).Clear();
        }

        bool outside = false;
        for (int b = 0; b < tiling.Blocks; b++)
        {
            int channel = FirstChannel(b), channels = Channels(b);
            bool last = b == tiling.Blocks - 1;
            PlanePatch<TOps, TVec>.Fill(job->Shape, tiling, place, job->X, channel, channels, buffers.Patch);
            if (!job->Distances)
            {
                outside |= PlanePatch<TOps, TVec>.AddUp(place, job->X, channel, channels, side, job->List.Min);
                if (last)
                {
                    SumWindows(sidePlane, buffers.WindowSums);
                }
            }

            for (int part = 0; part < parts; part++)
            {
                Sum(b, part);
                if (last)
                {
                    FinishPart(part);
                }
            }
        }

        if (outside || doubtful)
        {
            Repair(outside);
        }
    }

    private readonly int FirstChannel(int block) => group * job->Shape.GroupC + block * job->Tiling.BlockChannels;

    private readonly int Channels(int block) => Math.Min(job->Tiling.BlockChannels, job->Shape.GroupC - block * job->Tiling.BlockChannels);

    private readonly int FirstVector(int part) => (int)((long)vectors * part / parts);

    private readonly int Vectors(int part) => FirstVector(part + 1) - FirstVector(part);

    private readonly float* Sums(int part) => buffers.Sums + (job->Tiling.Blocks == 1 ? 0 : (nint)part * filters * Tile);

    /// <summary>A block's part of the sums of all filters.</summary>
    private readonly void Sum(int block, int part)
    {
        int count = Vectors(part);
        float* patch = buffers.Patch + FirstVector(part) * TOps.Lanes, sums = Sums(part), ones = job->Ones;
        var run = job->Distances ? PlaneTile<TOps, TVec>.For<DistanceForm>(count) : PlaneTile<TOps, TVec>.For<MinimumForm>(count);
        int* start = job->List.Starts + (nint)block * job->Shape.O + first;
        for (int o = 0; o < filters; o++, sums += Tile)
        {
            run(job->List.Taps + start[o], job->List.Taps + start[o + 1], patch, sums, block > 0, ones);
        }
    }

    private void FinishPart(int part)
    {
        int runs = FindRuns(part);
        float* sums = Sums(part);
        for (int o = 0; o < filters; o++, sums += Tile)
        {
            if (!PlaneOutput<TOps, TVec>.Write(job, first + o, sums, WindowSums(part), Vectors(part), buffers.Runs, runs, null, null))
            {
                buffers.Doubts[part * filters + o] = 1;
                doubtful = true;
            }
        }
    }

    private readonly float* WindowSums(int part) => buffers.WindowSums + FirstVector(part) * TOps.Lanes;

    private readonly void ClearSide() =>
        new Span<float>(buffers.SideSums, place.Images * (place.EndRow - place.FirstRow) * (place.EndCol - place.FirstCol)).Clear();

    /// <summary>The side sums as a plane of which only the part that the tile sees is there.</summary>
    private readonly Planes SidePlane()
    {
        nint cols = place.EndCol - place.FirstCol, image = cols * (place.EndRow - place.FirstRow);
        return new((nint)(buffers.SideSums - place.FirstRow * cols - place.FirstCol - place.Image * image), image, 0, cols);
    }

    /// <summary>Sums a plane over each output pixel's window.</summary>
    private readonly void SumWindows(in Planes plane, float* to)
    {
        PlanePatch<TOps, TVec>.Fill(job->Shape, job->Tiling, place, plane, 0, 1, buffers.SidePatch);
        for (int part = 0; part < parts; part++)
        {
            int lane = FirstVector(part) * TOps.Lanes;
            PlaneTile<TOps, TVec>.For<InputForm>(Vectors(part))(
                job->Window, job->Window + job->Tiling.Taps, buffers.SidePatch + lane, to + lane, false, job->Ones);
        }
    }

    /// <summary>
    /// Writes results that may be wrong again: where an input lies below the range, or NaN, infinity or overflow make the identity fail,
    /// |x - w| itself is summed up, and taken for just these pixels, so that no result depends on its neighbours.
    /// </summary>
    private readonly void Repair(bool outside)
    {
        ref readonly PlaneTiling tiling = ref job->Tiling;
        if (outside)
        {
            ClearSide();
            for (int b = 0; b < tiling.Blocks; b++)
            {
                PlanePatch<TOps, TVec>.AddShortfall(place, job->X, FirstChannel(b), Channels(b), buffers.SideSums, job->List.Min);
            }

            SumWindows(SidePlane(), buffers.Shortfalls);
            new Span<byte>(buffers.Doubts, parts * filters).Fill(1);
        }
        else
        {
            new Span<float>(buffers.Shortfalls, vectors * TOps.Lanes).Clear();
        }

        float* fast = buffers.PlainSums, plain = fast + (nint)filters * Tile;
        for (int part = 0; part < parts; part++)
        {
            byte* doubts = buffers.Doubts + part * filters;
            if (!new Span<byte>(doubts, filters).Contains((byte)1))
            {
                continue;
            }

            int count = Vectors(part), lane = FirstVector(part) * TOps.Lanes, runs = FindRuns(part);
            var sumFast = PlaneTile<TOps, TVec>.For<MinimumForm>(count);
            var sumPlain = PlaneTile<TOps, TVec>.For<DistanceForm>(count);
            for (int b = 0; b < tiling.Blocks; b++)
            {
                PlanePatch<TOps, TVec>.Fill(job->Shape, tiling, place, job->X, FirstChannel(b), Channels(b), buffers.Patch);
                int* start = job->List.Starts + (nint)b * job->Shape.O + first;
                for (int o = 0; o < filters; o++)
                {
                    if (doubts[o] != 0)
                    {
                        int all = ListAll(b, first + o);
                        sumFast(
                            job->List.Taps + start[o], job->List.Taps + start[o + 1], buffers.Patch + lane, fast + (nint)o * Tile, b > 0, job->Ones);
                        sumPlain(buffers.AllTaps, buffers.AllTaps + all, buffers.Patch + lane, plain + (nint)o * Tile, b > 0, job->Ones);
                    }
                }
            }

            for (int o = 0; o < filters; o++)
            {
                if (doubts[o] != 0)
                {
                    PlaneOutput<TOps, TVec>.Write(
                        job, first + o, fast + (nint)o * Tile, WindowSums(part), count, buffers.Runs, runs, plain + (nint)o * Tile, buffers.Shortfalls + lane);
                }
            }
        }
    }

    /// <summary>Writes all taps of a filter in a block, with nothing skipped, and returns their number.</summary>
    private readonly int ListAll(int block, int o)
    {
        int channels = Channels(block), k = 0;
        float* w = job->Filters + ((nint)o * job->Shape.GroupC + block * job->Tiling.BlockChannels) * job->Tiling.Taps;
        for (int c = 0; c < channels; c++)
            for (int t = 0; t < job->Tiling.Taps; t++, k++)
            {
                buffers.AllTaps[k] = new Tap(c * job->Tiling.ChannelLength * sizeof(float) + job->Window[t].Offset, w[k]);
            }

        return k;
    }

    /// <summary>Finds where a part's lanes belong in the output; returns the number of runs.</summary>
    private readonly int FindRuns(int part)
    {
        ref readonly PlaneTiling tiling = ref job->Tiling;
        ref readonly AdderShapeNumbers s = ref job->Shape;
        int start = FirstVector(part) * TOps.Lanes, end = FirstVector(part + 1) * TOps.Lanes, count = 0;
        for (int lane = start; lane < end;)
        {
            int row = lane / tiling.Pitch, at = lane % tiling.Pitch, image = at / tiling.Cols, col = at % tiling.Cols;
            if (image >= place.Images)
            {
                lane += tiling.Pitch - at;
                continue;
            }

            int length = Math.Min(end - lane, place.Cols - col);
            if (length > 0)
            {
                nint output = ((nint)(place.Image + image) * s.O * s.OutH + place.Row + row) * s.OutW + place.Col + col;
                if (count > 0 && buffers.Runs[count - 1] is var before && before.Lane + before.Length == lane - start && before.Output + before.Length == output)
                {
                    buffers.Runs[count - 1] = before with { Length = before.Length + length };
                }
                else
                {
                    buffers.Runs[count++] = new LaneRun(lane - start, length, output);
                }
            }

            lane += tiling.Cols - col;
        }

        return count;
    }
}
