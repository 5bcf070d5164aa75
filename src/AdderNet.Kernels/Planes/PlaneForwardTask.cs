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

    public static int Tile => PlaneTiling.MaxVectors * TOps.Lanes;

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

        PlanePatch<TOps, TVec>.FindColumns(job->Shape, tiling, place, buffers.Columns);
        bool outside = false;
        for (int b = 0; b < tiling.Blocks; b++)
        {
            bool last = b == tiling.Blocks - 1;
            Planes input = Input(b, out int channel);
            Fill(input, channel, Channels(b), buffers.Patch);
            if (!job->Distances && tiling.Taps == 1)
            {
                // The patch holds just what the windows see, each pixel once, which with a stride is a part of the input only.
                outside |= PlanePatch<TOps, TVec>.AddUpLanes(
                    buffers.Patch, tiling.ChannelLength, Channels(b), vectors * TOps.Lanes, buffers.WindowSums, b > 0, job->List.Min);
            }
            else if (!job->Distances)
            {
                outside |= PlanePatch<TOps, TVec>.AddUp(place, input, channel, Channels(b), side, job->List.Min);
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

    public readonly int FirstChannel(int block) => group * job->Shape.GroupC + block * job->Tiling.BlockChannels;

    public readonly int Channels(int block) => Math.Min(job->Tiling.BlockChannels, job->Shape.GroupC - block * job->Tiling.BlockChannels);

    /// <summary>A block's channels as planes, from <paramref name="channel"/> on.</summary>
    public readonly Planes Input(int block, out int channel)
    {
        channel = FirstChannel(block);
        if (job->ChannelsLast == null)
        {
            return job->X;
        }

        ref readonly AdderShapeNumbers s = ref job->Shape;
        int rows = place.EndRow - place.FirstRow, cols = place.EndCol - place.FirstCol;
        nint image = (nint)rows * cols, plane = image * place.Images;
        for (int i = 0; i < place.Images; i++)
            for (int row = 0; row < rows; row++)
            {
                float* from = job->ChannelsLast + (((nint)(place.Image + i) * s.H + place.FirstRow + row) * s.W + place.FirstCol) * s.C + channel;
                Transposition.Run(TOps.Lanes, from, s.C, cols, Channels(block), buffers.Gathered + i * image + row * cols, plane);
            }

        channel = 0;
        return PartOfPlanes(buffers.Gathered, plane, plane * Channels(block));
    }

    /// <summary>Planes of which only the part that the tile sees is there.</summary>
    private readonly Planes PartOfPlanes(float* start, nint plane, nint length)
    {
        nint cols = place.EndCol - place.FirstCol, image = cols * (place.EndRow - place.FirstRow);
        return new((nint)(start - place.FirstRow * cols - place.FirstCol - place.Image * image), image, plane, cols, (nint)start, (nint)(start + length));
    }

    public readonly void Fill(in Planes from, int channel, int channels, float* patch) =>
        PlanePatch<TOps, TVec>.Fill(job->Shape, job->Tiling, place, from, channel, channels, buffers.Columns, patch);

    public readonly int FirstVector(int part) => (int)((long)vectors * part / parts);

    public readonly int Vectors(int part) => FirstVector(part + 1) - FirstVector(part);

    public readonly int Parts => parts;

    public readonly float* Sums(int part) => buffers.Sums + (job->Tiling.Blocks == 1 ? 0 : (nint)part * filters * Tile);

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

        WriteChannelsLast(Sums(part), 0, filters, runs);
    }

    /// <summary>Brings outputs of some filters to their places where those are channels-last.</summary>
    public readonly void WriteChannelsLast(float* outputs, int filter, int count, int runs)
    {
        if (job->ChannelsLast == null)
        {
            return;
        }

        for (int i = 0; i < runs; i++)
        {
            LaneRun run = buffers.Runs[i];
            Transposition.Run(TOps.Lanes, outputs + run.Lane, Tile, count, run.Length, job->Y + run.Output + first + filter, job->Shape.O);
        }
    }

    public readonly float* WindowSums(int part) => buffers.WindowSums + FirstVector(part) * TOps.Lanes;

    public readonly void ClearSide() =>
        new Span<float>(buffers.SideSums, place.Images * (place.EndRow - place.FirstRow) * (place.EndCol - place.FirstCol)).Clear();

    public readonly Planes SidePlane() =>
        PartOfPlanes(buffers.SideSums, 0, (nint)place.Images * (place.EndRow - place.FirstRow) * (place.EndCol - place.FirstCol));

    /// <summary>Sums a plane over each output pixel's window.</summary>
    public readonly void SumWindows(in Planes plane, float* to)
    {
        Fill(plane, 0, 1, buffers.SidePatch);
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
                Planes input = Input(b, out int channel);
                PlanePatch<TOps, TVec>.AddShortfall(place, input, channel, Channels(b), buffers.SideSums, job->List.Min);
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
                Planes input = Input(b, out int channel);
                Fill(input, channel, Channels(b), buffers.Patch);
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
                    float* sums = fast + (nint)o * Tile;
                    PlaneOutput<TOps, TVec>.Write(
                        job, first + o, sums, WindowSums(part), count, buffers.Runs, runs, plain + (nint)o * Tile, buffers.Shortfalls + lane);
                    WriteChannelsLast(sums, o, 1, runs);
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
    public readonly int FindRuns(int part)
    {
        ref readonly PlaneTiling tiling = ref job->Tiling;
        ref readonly AdderShapeNumbers s = ref job->Shape;
        int start = FirstVector(part) * TOps.Lanes, end = FirstVector(part + 1) * TOps.Lanes, count = 0;
        nint step = job->ChannelsLast == null ? 1 : s.O;
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
                nint imageRows = (place.Image + image) * (step == 1 ? (nint)s.O : 1) * s.OutH;
                nint output = ((imageRows + place.Row + row) * s.OutW + place.Col + col) * step;
                if (count > 0 && buffers.Runs[count - 1] is var before && before.Lane + before.Length == lane - start && before.Output + before.Length * step == output)
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
