namespace AdderNet.Inference;

/// <summary>The line y = Slope * (x - MeanX) + MeanY that comes nearest to pairs of values, and what it misses.</summary>
/// <param name="MeanX">Mean of x.</param>
/// <param name="MeanY">Mean of y.</param>
/// <param name="Slope">cov(x, y) / var(x); 0 where x is constant.</param>
/// <param name="Missed">Sum of the squared differences that are left.</param>
/// <param name="Spread">Sum of squared differences of y from its mean.</param>
internal readonly record struct LineFit(double MeanX, double MeanY, double Slope, double Missed, double Spread)
{
    /// <summary>Fits each channel over all pixels of all images.</summary>
    /// <param name="x">Values [N, C, pixels].</param>
    /// <param name="y">Values [N, C, pixels].</param>
    /// <param name="channels">C.</param>
    /// <param name="pixels">Pixels of a channel.</param>
    public static LineFit[] OfChannels(ReadOnlySpan<float> x, ReadOnlySpan<float> y, int channels, int pixels)
    {
        LineFit[] fits = new LineFit[channels];
        int images = x.Length / channels / pixels;
        for (int c = 0; c < channels; c++)
        {
            double sx = 0, sy = 0;
            for (int n = 0; n < images; n++)
            {
                int plane = (n * channels + c) * pixels;
                for (int i = plane; i < plane + pixels; i++)
                {
                    sx += x[i];
                    sy += y[i];
                }
            }

            double count = (double)images * pixels, mx = sx / count, my = sy / count, xx = 0, xy = 0, yy = 0;
            for (int n = 0; n < images; n++)
            {
                int plane = (n * channels + c) * pixels;
                for (int i = plane; i < plane + pixels; i++)
                {
                    double dx = x[i] - mx, dy = y[i] - my;
                    xx += dx * dx;
                    xy += dx * dy;
                    yy += dy * dy;
                }
            }

            double slope = xx > 0 ? xy / xx : 0;
            fits[c] = new LineFit(mx, my, slope, Math.Max(0, yy - slope * xy), yy);
        }

        return fits;
    }
}
