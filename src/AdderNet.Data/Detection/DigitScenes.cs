namespace AdderNet.Data.Detection;

/// <summary>
/// MNIST's digits at random places and sizes on grey canvases: a data set of boxes to try things with. It follows from its seed; no digit
/// of a test image is in a training image.
/// </summary>
public static class DigitScenes
{
    /// <summary>Rows and columns of a canvas.</summary>
    public const int Side = 128;

    // Of MNIST's 60,000 training digits the last ones are for validation.
    private const int Digit = 28, TrainDigits = 55_000;

    /// <summary>Draws the scenes.</summary>
    /// <param name="train">Training images.</param>
    /// <param name="validation">Validation images.</param>
    /// <param name="test">Test images.</param>
    /// <param name="seed">Decides all of them.</param>
    public static DetectionSplits Create(int train = 4000, int validation = 500, int test = 500, ulong seed = 1)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(train, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(validation, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(test, 1);
        Dataset learning = Datasets.Open("mnist", train: true), measuring = Datasets.Open("mnist", train: false);
        return new DetectionSplits(
            Split(learning, 0, TrainDigits, train, seed, 0),
            Split(learning, TrainDigits, learning.Count - TrainDigits, validation, seed, 1),
            Split(measuring, 0, measuring.Count, test, seed, 2), []);
    }

    private static DetectionDataset Split(Dataset digits, int first, int count, int images, ulong seed, int split)
    {
        DatasetInfo info = Datasets.Find("digits");
        Scene[] scenes = [.. Enumerable.Range(0, images).Select(i => new Scene(digits, first, count, new CounterRandom(seed, split, i)))];
        LabelledImage[] labels = [.. scenes.Select((s, i) => new LabelledImage($"image {i} of {info.Title}", Side, Side, s.Objects))];
        return new DetectionDataset(info, labels, (i, _) => scenes[i].Draw(digits));
    }

    private sealed class Scene
    {
        private readonly List<(int Digit, int X, int Y, int Size, double Contrast)> drawn = [];
        private readonly CounterRandom noise;

        public Scene(Dataset digits, int first, int count, CounterRandom random)
        {
            const int attempts = 20;
            int wanted = 1 + random.Next(5);
            List<LabelledBox> objects = [];
            for (int attempt = 0; attempt < attempts && objects.Count < wanted; attempt++)
            {
                int digit = first + random.Next(count), size = 28 + random.Next(37);
                double contrast = random.Uniform(0.5, 1);
                (int x0, int y0, int x1, int y1) = Ink(digits.Read(digit).Pixels.Span, size);
                int x = random.Next(Side - (x1 - x0) + 1) - x0, y = random.Next(Side - (y1 - y0) + 1) - y0;
                Box box = new(x + x0, y + y0, x + x1, y + y1);
                if (objects.All(o => o.Box.Overlap(box) <= 0.1f * Math.Min(o.Box.Area, box.Area)))
                {
                    drawn.Add((digit, x, y, size, contrast));
                    objects.Add(new LabelledBox(digits.Labels[digit], box));
                }
            }

            (Objects, noise) = (objects, random);
        }

        public IReadOnlyList<LabelledBox> Objects { get; }

        public RawImage Draw(Dataset digits)
        {
            CounterRandom random = noise;
            byte[] canvas = new byte[Side * Side];
            for (int i = 0; i < canvas.Length; i += 8)
            {
                ulong bits = random.Next();
                for (int k = 0; k < 8; k++, bits >>= 8)
                {
                    canvas[i + k] = (byte)(bits & 31);
                }
            }

            foreach ((int digit, int x, int y, int size, double contrast) in drawn)
            {
                ReadOnlySpan<byte> pixels = digits.Read(digit).Resize(size, size).Pixels.Span;
                for (int row = Math.Max(0, -y); row < Math.Min(size, Side - y); row++)
                {
                    for (int column = Math.Max(0, -x); column < Math.Min(size, Side - x); column++)
                    {
                        ref byte to = ref canvas[(y + row) * Side + x + column];
                        to = Math.Max(to, (byte)(contrast * pixels[row * size + column]));
                    }
                }
            }

            return new RawImage(Side, Side, 1, canvas);
        }

        /// <summary>The edges of what can be seen of a digit scaled to a size.</summary>
        private static (int X0, int Y0, int X1, int Y1) Ink(ReadOnlySpan<byte> pixels, int size)
        {
            const int visible = 64;
            (int x0, int y0, int x1, int y1) = (Digit, Digit, 0, 0);
            for (int i = 0; i < pixels.Length; i++)
            {
                if (pixels[i] >= visible)
                {
                    (x0, y0) = (Math.Min(x0, i % Digit), Math.Min(y0, i / Digit));
                    (x1, y1) = (Math.Max(x1, i % Digit + 1), Math.Max(y1, i / Digit + 1));
                }
            }

            return (x0 * size / Digit, y0 * size / Digit, (x1 * size + Digit - 1) / Digit, (y1 * size + Digit - 1) / Digit);
        }
    }
}
