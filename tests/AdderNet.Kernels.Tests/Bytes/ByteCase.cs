using AdderNet.Kernels.Bytes;
using CsCheck;

namespace AdderNet.Kernels.Tests.Bytes;

/// <summary>A layer of bytes with data for it, and what plain loops make of it.</summary>
internal sealed class ByteCase
{
    private readonly Random random;

    public ByteCase(AdderShape shape, int bits, int seed, bool residual = false, double left = 0.58)
    {
        random = new Random(seed);
        (Shape, Bits, Top) = (shape, bits, (1 << bits) - 1);
        X = Codes(shape.XLength, 0.5, 0.05);
        Filters = Codes(shape.FiltersLength, left, 0.3);
        Sums = new int[shape.YLength];
        ByteReference.Forward(shape, X, Filters, Sums);
        Residual = residual ? Codes(shape.YLength, 0.7, 0.05) : [];
        Requantization = Random();
    }

    public AdderShape Shape { get; }

    public int Bits { get; }

    public int Top { get; }

    public byte[] X { get; }

    public byte[] Filters { get; }

    public int[] Sums { get; }

    public byte[] Residual { get; }

    public Requantization Requantization { get; }

    /// <summary>Any layer, in vectors of so many bytes, with images side by side or strips, rows shared or apart, as chance will have it.</summary>
    public static Gen<(AdderShape Shape, int Bits, int Seed, ByteChoice Choice)> Any(int lanes) =>
        from shape in Layers.Shapes
        from bits in Gen.Int[4, 8]
        from seed in Gen.Int
        from images in Gen.Int[1, 4]
        from strips in Gen.Int[1, 3]
        from apart in Gen.Bool
        select (shape, bits, seed, new ByteChoice(lanes, images, images > 1 ? 1 : Math.Min(strips, shape.OutW), apart));

    public ByteLayer Layer() => new(Shape, Filters, Bits, Requantization);

    public BytePlanes Input(int border = 0)
    {
        BytePlanes planes = BytePlanes.Allocate(Shape.N, new ByteLayout(Shape.C, Shape.H, Shape.W, border + Math.Max(Shape.PaddingH, Shape.PaddingW)));
        planes.CopyFrom(X);
        return planes;
    }

    public int[] ActualSums(ByteChoice? choice)
    {
        int[] y = new int[Shape.YLength];
        Layer().Forward(Input(), y, null, choice);
        return y;
    }

    /// <summary>The codes the layer writes into planes with a border, which must stay as it is.</summary>
    public byte[] ActualCodes(ByteChoice? choice)
    {
        ByteLayout layout = new(Shape.O, Shape.OutH, Shape.OutW, random.Next(3));
        BytePlanes y = new(new byte[layout.Length(Shape.N)], Shape.N, layout), residual = default;
        if (Residual.Length > 0)
        {
            residual = BytePlanes.Allocate(Shape.N, layout with { Border = random.Next(3) });
            residual.CopyFrom(Residual);
        }

        y.Memory.Fill(77);
        Layer().Forward(Input(random.Next(2)), y, residual, null, choice);
        byte[] codes = new byte[Shape.YLength];
        y.CopyTo(codes);
        byte[] untouched = new byte[Shape.YLength];
        Array.Fill(untouched, (byte)77);
        y.CopyFrom(untouched);
        Assert.Equal(-1, y.Memory.IndexOfAnyExcept((byte)77));
        return codes;
    }

    public byte[] ExpectedCodes()
    {
        byte[] codes = new byte[Shape.YLength];
        for (int k = 0; k < codes.Length; k++)
        {
            // As the documentation of Requantization says it, in arithmetic that cannot overflow.
            int o = k / (Shape.OutH * Shape.OutW) % Shape.O, shift = Requantization.Shift[o];
            Int128 v = (Int128)Sums[k] * Requantization.Multiplier[o] + Requantization.Offset[o] + ((Int128)1 << (shift - 1));
            v += Residual.Length == 0 ? 0 : (Int128)Residual[k] * Requantization.ResidualMultiplier![o];
            codes[k] = (byte)(int)Int128.Clamp(v >> shift, 0, Requantization.Top);
            Assert.Equal(codes[k], Requantization.Apply(o, Sums[k], Residual.Length == 0 ? (byte)0 : Residual[k]));
        }

        return codes;
    }

    /// <summary>Codes that are 0, top and anything between in given shares.</summary>
    private byte[] Codes(int count, double positive, double top)
    {
        byte[] codes = new byte[count];
        for (int i = 0; i < count; i++)
        {
            double u = random.NextDouble();
            codes[i] = (byte)(u >= positive ? 0 : u < positive * top ? Top : random.Next(Top + 1));
        }

        return codes;
    }

    /// <summary>Scales that spread the sums over the codes, some negative, some 0, some as large or as small as integers go.</summary>
    private Requantization Random()
    {
        int top = random.Next(3) == 0 ? random.Next(1, 256) : Top, area = Shape.OutH * Shape.OutW;
        double[] scale = new double[Shape.O], shift = new double[Shape.O];
        for (int o = 0; o < Shape.O; o++)
        {
            int[] some = [.. Enumerable.Range(0, Shape.N).SelectMany(n => Sums.Skip((n * Shape.O + o) * area).Take(area))];
            double middle = some.Average(), spread = Math.Max(1, some.Max() - some.Min());
            scale[o] = (random.Next(3) == 0 ? -1 : 1) * top / spread * (0.5 + random.NextDouble());
            shift[o] = top / 2.0 - middle * scale[o];
        }

        double residual = Residual.Length == 0 ? 0 : (random.NextDouble() * 2 - 0.5) * top / Top;
        Requantization r = Requantization.FromScales(top, scale, shift, residual);
        if (random.Next(4) > 0)
        {
            return r;
        }

        int[] multiplier = r.Multiplier, shifts = r.Shift;
        long[] offset = r.Offset;
        int odd = random.Next(Shape.O);
        (multiplier[odd], offset[odd], shifts[odd]) = random.Next(5) switch
        {
            0 => (0, random.Next(-1000, 1000), random.Next(1, 9)),
            1 => (int.MaxValue, 1L << 40, 40),
            2 => (int.MinValue, -(1L << 45), 33),
            3 => (1, 1L << 60, 40),
            _ => (-1, -(1L << 60), 1),
        };
        return new Requantization(top, multiplier, offset, shifts, r.ResidualMultiplier);
    }
}
