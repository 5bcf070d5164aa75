using System.Runtime.CompilerServices;

namespace AdderNet.Kernels;

/// <summary>The end of the forward pass: makes outputs of a tile's sums and applies the <see cref="AdderEpilogue"/>.</summary>
internal static unsafe class ForwardEpilogue<TOps, TVec>
    where TOps : struct, ISimd<TVec>
    where TVec : struct
{
    /// <summary>Turns a panel's sums into outputs where there is no epilogue; false where one is not finite.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static bool RunWhole(ForwardJob* job, int panel, Tile tile, float* windowSums, float* maximum)
    {
        int vectors = job->Layout.PanelVectors(panel), stride = job->O;
        float* filterSums = job->Filters + job->Layout.SumsStart + job->Layout.PaddedOutput(panel);
        TVec zero = TOps.Create(0), minusTwo = TOps.Create(-2), check = zero, secondCheck = zero;
        TVec f = TOps.Load(filterSums), g = vectors == 2 ? TOps.Load(filterSums + TOps.Lanes) : zero;
        for (int row = 0; row < tile.Rows; row++)
        {
            float* to = job->Y + ((nint)(tile.Row + row) * job->Window.X.Count + tile.Col) * stride + job->Layout.Output(panel);
            for (int col = 0; col < tile.Cols; col++, to += stride)
            {
                TVec sum = TOps.Create(*windowSums++), y = TOps.MulAdd(TOps.Load(maximum), minusTwo, TOps.Add(sum, f));
                TOps.Store(to, y);
                check = TOps.MulAdd(y, zero, check);
                maximum += TOps.Lanes;
                if (vectors == 2)
                {
                    y = TOps.MulAdd(TOps.Load(maximum), minusTwo, TOps.Add(sum, g));
                    TOps.Store(to + TOps.Lanes, y);
                    secondCheck = TOps.MulAdd(y, zero, secondCheck);
                    maximum += TOps.Lanes;
                }
            }
        }

        return TOps.AllZero(TOps.Add(check, secondCheck));
    }

    /// <summary>
    /// Turns a panel's sums into outputs. Returns false where one is not finite and <paramref name="absolute"/> is not
    /// there to take its place.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static bool Run(ForwardJob* job, int panel, Tile tile, float* windowSums, float* maximum, float* absolute)
    {
        ref readonly FilterLayout layout = ref job->Layout;
        int lanes = layout.PanelVectors(panel) * TOps.Lanes, outputs = layout.PanelOutputs(panel);
        int first = layout.Output(panel), padded = layout.PaddedOutput(panel);
        float* filterSums = job->Filters + layout.SumsStart + padded;
        float* part = stackalloc float[16];
        TVec zero = TOps.Create(0), minusTwo = TOps.Create(-2), largest = TOps.Create(float.MaxValue), check = zero;
        int p = 0;
        for (int row = 0; row < tile.Rows; row++)
        {
            nint at = ((nint)(tile.Row + row) * job->Window.X.Count + tile.Col) * job->O + first;
            for (int col = 0; col < tile.Cols; col++, at += job->O, p++)
            {
                for (int o = 0; o < outputs; o += TOps.Lanes)
                {
                    TVec y;
                    if (maximum == null)
                    {
                        y = TOps.Sub(zero, TOps.Load(absolute + p * lanes + o));
                    }
                    else
                    {
                        y = TOps.Add(TOps.Create(windowSums[p]), TOps.Load(filterSums + o));
                        y = TOps.MulAdd(TOps.Load(maximum + p * lanes + o), minusTwo, y);
                        if (absolute != null)
                        {
                            TVec plain = TOps.Sub(zero, TOps.Load(absolute + p * lanes + o));
                            y = TOps.SelectLess(largest, TOps.Abs(y), plain, TOps.SelectEqual(y, y, y, plain));
                        }
                        else
                        {
                            check = TOps.MulAdd(y, zero, check);
                        }
                    }

                    if (job->Mean != null)
                    {
                        y = TOps.Sub(y, TOps.Load(job->Mean + padded + o));
                    }

                    if (job->Scale != null)
                    {
                        y = TOps.Mul(y, TOps.Load(job->Scale + padded + o));
                    }

                    if (job->Shift != null)
                    {
                        y = TOps.Add(y, TOps.Load(job->Shift + padded + o));
                    }

                    bool whole = outputs - o >= TOps.Lanes;
                    if (job->Residual != null)
                    {
                        float* from = job->Residual + at + o;
                        if (!whole)
                        {
                            for (int i = 0; i < outputs - o; i++)
                            {
                                part[i] = from[i];
                            }

                            from = part;
                        }

                        y = TOps.Add(y, TOps.Load(from));
                    }

                    if (job->Relu)
                    {
                        y = TOps.SelectLess(y, zero, zero, y);
                    }

                    if (whole)
                    {
                        TOps.Store(job->Y + at + o, y);
                    }
                    else
                    {
                        TOps.Store(part, y);
                        for (int i = 0; i < outputs - o; i++)
                        {
                            job->Y[at + o + i] = part[i];
                        }
                    }
                }
            }
        }

        return TOps.AllZero(check);
    }
}
