using System.Numerics;
using System.Runtime.InteropServices;

namespace AdderNet.Data;

/// <summary>
/// Resizes images with a triangle filter whose support grows with the reduction (antialiased bilinear), first along rows
/// and then along columns, with 22-bit fixed-point weights and bytes in between: bit for bit what Pillow, and so
/// torchvision, makes of an image. Keeps its buffers, so that one instance a thread allocates nothing in the long run.
/// </summary>
internal sealed class Resampler
{
    private const int Precision = 22;

    private byte[] rows = [];
    private int[] sums = [];
    private Weights horizontal = new();
    private Weights vertical = new();

    /// <summary>Resizes a part of <paramref name="image"/>; pixels outside the part are not looked at.</summary>
    public void Run(RawImage image, int top, int left, int cropH, int cropW, int outH, int outW, Span<byte> output)
    {
        int channels = image.Channels;
        ReadOnlySpan<byte> pixels = image.Pixels.Span;
        int stride = image.Width * channels;
        if (cropW == outW && cropH == outH)
        {
            for (int y = 0; y < outH; y++)
            {
                pixels.Slice((top + y) * stride + left * channels, outW * channels).CopyTo(output[(y * outW * channels)..]);
            }

            return;
        }

        horizontal.Prepare(cropW, outW);
        vertical.Prepare(cropH, outH);
        int rowLength = outW * channels;
        Grow(ref rows, (long)cropH * rowLength);
        for (int y = 0; y < cropH; y++)
        {
            ReadOnlySpan<byte> row = pixels.Slice((top + y) * stride + left * channels, cropW * channels);
            Span<byte> to = rows.AsSpan(y * rowLength, rowLength);
            if (cropW == outW)
            {
                row.CopyTo(to);
            }
            else if (channels == 3)
            {
                Row3(row, to, horizontal);
            }
            else
            {
                Row(row, to, horizontal, channels);
            }
        }

        if (cropH == outH)
        {
            rows.AsSpan(0, outH * rowLength).CopyTo(output);
            return;
        }

        Grow(ref sums, rowLength);
        for (int y = 0; y < outH; y++)
        {
            Column(rows, rowLength, vertical, y, sums.AsSpan(0, rowLength), output.Slice(y * rowLength, rowLength));
        }
    }

    private static void Row3(ReadOnlySpan<byte> from, Span<byte> to, Weights weights)
    {
        for (int x = 0; x < to.Length / 3; x++)
        {
            ReadOnlySpan<int> taps = weights.Of(x, out int start);
            int r = 1 << (Precision - 1), g = r, b = r;
            ReadOnlySpan<byte> window = from.Slice(3 * start, 3 * taps.Length);
            for (int i = 0; i < taps.Length; i++)
            {
                r += taps[i] * window[3 * i];
                g += taps[i] * window[3 * i + 1];
                b += taps[i] * window[3 * i + 2];
            }

            to[3 * x] = Round(r);
            to[3 * x + 1] = Round(g);
            to[3 * x + 2] = Round(b);
        }
    }

    private static void Row(ReadOnlySpan<byte> from, Span<byte> to, Weights weights, int channels)
    {
        for (int x = 0; x < to.Length / channels; x++)
        {
            ReadOnlySpan<int> taps = weights.Of(x, out int start);
            for (int c = 0; c < channels; c++)
            {
                int sum = 1 << (Precision - 1);
                for (int i = 0; i < taps.Length; i++)
                {
                    sum += taps[i] * from[(start + i) * channels + c];
                }

                to[x * channels + c] = Round(sum);
            }
        }
    }

    // One output row is a weighted sum of whole rows, which the vector unit adds side by side.
    private static void Column(ReadOnlySpan<byte> rows, int rowLength, Weights weights, int y, Span<int> sums, Span<byte> to)
    {
        ReadOnlySpan<int> taps = weights.Of(y, out int start);
        sums.Fill(1 << (Precision - 1));
        for (int i = 0; i < taps.Length; i++)
        {
            ReadOnlySpan<byte> row = rows.Slice((start + i) * rowLength, rowLength);
            var weight = new Vector<int>(taps[i]);
            int x = 0;
            for (; x <= rowLength - Vector<byte>.Count; x += Vector<byte>.Count)
            {
                Vector.Widen(new Vector<byte>(row[x..]), out Vector<ushort> low, out Vector<ushort> high);
                Vector.Widen(low, out Vector<uint> a, out Vector<uint> b);
                Vector.Widen(high, out Vector<uint> c, out Vector<uint> d);
                Span<Vector<int>> four = MemoryMarshal.Cast<int, Vector<int>>(sums.Slice(x, Vector<byte>.Count));
                four[0] += weight * Vector.AsVectorInt32(a);
                four[1] += weight * Vector.AsVectorInt32(b);
                four[2] += weight * Vector.AsVectorInt32(c);
                four[3] += weight * Vector.AsVectorInt32(d);
            }

            for (; x < rowLength; x++)
            {
                sums[x] += taps[i] * row[x];
            }
        }

        for (int x = 0; x < rowLength; x++)
        {
            to[x] = Round(sums[x]);
        }
    }

    // All weights are positive and add up to one (within rounding), so only 255 can be exceeded.
    private static byte Round(int sum) => (byte)Math.Min(sum >> Precision, 255);

    private static void Grow<T>(ref T[] buffer, long length)
    {
        if (buffer.Length < length)
        {
            buffer = new T[length];
        }
    }

    /// <summary>The taps of each output position along one axis; kept as long as the sizes stay the same.</summary>
    private sealed class Weights
    {
        private int inSize, outSize, most;
        private int[] taps = [], starts = [], counts = [];
        private double[] exact = [];

        public ReadOnlySpan<int> Of(int position, out int start)
        {
            start = starts[position];
            return taps.AsSpan(position * most, counts[position]);
        }

        public void Prepare(int inSize, int outSize)
        {
            if ((inSize, outSize) == (this.inSize, this.outSize))
            {
                return;
            }

            (this.inSize, this.outSize) = (inSize, outSize);
            double scale = (double)inSize / outSize, support = Math.Max(scale, 1.0);
            most = (int)Math.Ceiling(support) * 2 + 1;
            Grow(ref taps, (long)outSize * most);
            Grow(ref starts, outSize);
            Grow(ref counts, outSize);
            Grow(ref exact, most);
            for (int position = 0; position < outSize; position++)
            {
                double center = (position + 0.5) * scale;
                int start = Math.Max(0, (int)(center - support + 0.5));
                int count = Math.Min(inSize, (int)(center + support + 0.5)) - start;
                double sum = 0;
                for (int i = 0; i < count; i++)
                {
                    // Multiplied by the reciprocal, as Pillow does: dividing would differ in the last bit.
                    exact[i] = Math.Max(0, 1 - Math.Abs((start + i - center + 0.5) * (1.0 / support)));
                    sum += exact[i];
                }

                for (int i = 0; i < count; i++)
                {
                    double weight = sum == 0 ? exact[i] : exact[i] / sum;
                    taps[position * most + i] = (int)(0.5 + weight * (1 << Precision));
                }

                (starts[position], counts[position]) = (start, count);
            }
        }
    }
}
