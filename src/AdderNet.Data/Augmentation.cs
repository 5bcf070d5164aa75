using AdderNet.Data.Detection;

namespace AdderNet.Data;

/// <summary>A random part of an image, cut out and scaled to a square: torchvision's <c>RandomResizedCrop</c>.</summary>
/// <param name="Size">Rows and columns of the result.</param>
public sealed record RandomResizedCrop(int Size)
{
    /// <summary>Smallest part, as a share of the image's area.</summary>
    public double MinScale { get; init; } = 0.08;

    /// <summary>Largest part, as a share of the image's area.</summary>
    public double MaxScale { get; init; } = 1.0;

    /// <summary>Smallest width / height of the part; the logarithm is drawn uniformly.</summary>
    public double MinRatio { get; init; } = 3.0 / 4.0;

    /// <summary>Largest width / height of the part.</summary>
    public double MaxRatio { get; init; } = 4.0 / 3.0;
}

/// <summary>
/// An image scaled by a random factor and cut, or laid on black, to a square at a random place: torchvision's <c>ScaleJitter</c> with the
/// <c>FixedSizeCrop</c> that its detection references put behind it. Without chance, the whole image in the middle of the square.
/// </summary>
/// <param name="Size">Rows and columns of the result.</param>
public sealed record ScaleJitter(int Size)
{
    /// <summary>Smallest factor; at 1 the image's longer side becomes <see cref="Size"/>.</summary>
    public double MinScale { get; init; } = 1;

    /// <summary>Largest factor; where both are 1, nothing is drawn.</summary>
    public double MaxScale { get; init; } = 1;

    /// <summary>Whether it depends on chance.</summary>
    internal bool IsRandom => (MinScale, MaxScale) is not (1, 1);
}

/// <summary>
/// How a stored image becomes a network's input. The steps that are set run in the order of the properties, each with
/// the meaning of torchvision's transform of that name; the result is channels-last floats,
/// (value / 255 - <see cref="Mean"/>) / <see cref="Std"/>. Plain data: it can be written to and read from JSON.
/// </summary>
public sealed record Augmentation
{
    /// <summary>A random part scaled to a square; null for none.</summary>
    public RandomResizedCrop? RandomResizedCrop { get; init; }

    /// <summary>A random scale and place in a square, for images with boxes; null for none. It makes the final size, so that the crops, the
    /// padding and the scaling of the shorter side are to be left out.</summary>
    public ScaleJitter? ScaleJitter { get; init; }

    /// <summary>Length the shorter side is scaled to (antialiased bilinear, as on a Pillow image); null leaves the size.</summary>
    public int? Resize { get; init; }

    /// <summary>Black pixels added on each side.</summary>
    public int Pad { get; init; }

    /// <summary>Side of a square cut out at a random place, after the padding; null for none.</summary>
    public int? RandomCrop { get; init; }

    /// <summary>Side of a square cut out of the middle, after the padding; null for none.</summary>
    public int? CenterCrop { get; init; }

    /// <summary>Whether half of the images are mirrored left to right.</summary>
    public bool HorizontalFlip { get; init; }

    /// <summary>What is subtracted, one value a channel (or one for all), on the scale where white is 1.</summary>
    public IReadOnlyList<float> Mean { get; init; } = [0f];

    /// <summary>What the difference is divided by, one value a channel (or one for all).</summary>
    public IReadOnlyList<float> Std { get; init; } = [1f];

    /// <summary>
    /// The paper's preparation of a data set's images: MNIST padded to 32 x 32; CIFAR padded by 4, cropped to 32 and
    /// flipped; image folders as ImageNet (random resized crop to 224 and flip; for evaluation the shorter side to 256
    /// and the middle 224). Images with boxes: scaled and placed at random in a square, and, but for digits, flipped.
    /// </summary>
    /// <param name="dataset">A name in <see cref="Datasets.All"/>.</param>
    /// <param name="train">Whether to draw random variants; evaluation never does.</param>
    /// <exception cref="DataException">There is no such data set.</exception>
    public static Augmentation For(string dataset, bool train)
    {
        string name = Datasets.Find(dataset).Name;
        Augmentation normalize = name switch
        {
            "mnist" or "digits" => new() { Mean = [0.1307f], Std = [0.3081f] },
            "fashion-mnist" => new() { Mean = [0.2860f], Std = [0.3530f] },
            "cifar10" => new() { Mean = [0.4914f, 0.4822f, 0.4465f], Std = [0.2023f, 0.1994f, 0.2010f] },
            "cifar100" => new() { Mean = [0.5071f, 0.4865f, 0.4409f], Std = [0.2673f, 0.2564f, 0.2762f] },
            _ => new() { Mean = [0.485f, 0.456f, 0.406f], Std = [0.229f, 0.224f, 0.225f] },
        };
        return (name, train) switch
        {
            ("mnist" or "fashion-mnist", _) => normalize with { Pad = 2 },
            ("cifar10" or "cifar100", true) => normalize with { Pad = 4, RandomCrop = 32, HorizontalFlip = true },
            ("cifar10" or "cifar100", false) => normalize,
            ("digits", true) => normalize with { ScaleJitter = new(128) { MinScale = 0.8, MaxScale = 1.25 } },
            ("digits", false) => normalize with { ScaleJitter = new(128) },
            ("voc" or "coco", true) => normalize with { ScaleJitter = new(512) { MinScale = 0.5, MaxScale = 1.5 }, HorizontalFlip = true },
            ("voc" or "coco", false) => normalize with { ScaleJitter = new(512) },
            (_, true) => normalize with { RandomResizedCrop = new(224), HorizontalFlip = true },
            (_, false) => normalize with { Resize = 256, CenterCrop = 224 },
        };
    }

    /// <summary>The same preparation without chance: random crops become centre crops and nothing is flipped.</summary>
    public Augmentation ForEvaluation() => this with
    {
        HorizontalFlip = false,
        RandomCrop = null,
        RandomResizedCrop = null,
        ScaleJitter = ScaleJitter is { } jitter ? new(jitter.Size) : null,
        // 256 for 224, the customary proportion.
        Resize = RandomResizedCrop is { } random ? random.Size * 8 / 7 : Resize,
        CenterCrop = RandomResizedCrop?.Size ?? RandomCrop ?? CenterCrop,
    };

    /// <summary>Prepares one image, without chance.</summary>
    /// <param name="image">An image with as many channels as the network takes.</param>
    /// <returns>The network's input [H, W, C] and its rows and columns.</returns>
    /// <exception cref="DataException">The steps do not fit the image, or are not valid.</exception>
    public (float[] Pixels, int Height, int Width) Apply(RawImage image)
    {
        (float[] pixels, int height, int width, _) = Place(image);
        return (pixels, height, width);
    }

    /// <summary>Prepares one image, without chance, and tells where it lies in the result.</summary>
    /// <inheritdoc cref="Apply"/>
    public (float[] Pixels, int Height, int Width, Placement Placement) Place(RawImage image)
    {
        var transform = new ItemTransform(ForEvaluation(), image.Channels);
        var worker = new ItemTransform.Scratch();
        (int height, int width) = transform.OutputSize(image.Height, image.Width);
        float[] pixels = new float[height * width * image.Channels];
        Placement placement = transform.Run(image, new CounterRandom(0, 0, 0), worker, pixels);
        return (pixels, height, width, placement);
    }
}
