using AdderNet.Data.Detection;

namespace AdderNet.Data;

/// <summary>The data sets that are known by name.</summary>
public static class Datasets
{
    private static readonly string[] CifarTrain = [.. Enumerable.Range(1, 5).Select(i => $"cifar-10-batches-bin/data_batch_{i}.bin")];

    private static readonly string[] FashionMirrors =
    [
        "https://github.com/zalandoresearch/fashion-mnist/raw/master/data/fashion/",
        "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
    ];

    internal static readonly IdxSource Mnist = new(
        new("mnist", "MNIST", 1, 28, 28, ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"], 60_000, 10_000, false, "comes with addernet"),
        Folders: ["", "mnist", "MNIST/raw", "MNIST", "raw"],
        Package: null,
        IdxFiles("train", [], 60_000,
            "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db", "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5"),
        IdxFiles("t10k", [], 10_000,
            "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7", "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2"),
        Embedded: true);

    private static readonly IdxSource FashionMnist = new(
        new("fashion-mnist", "Fashion-MNIST", 1, 28, 28,
            ["T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"],
            60_000, 10_000, true, "https://github.com/zalandoresearch/fashion-mnist"),
        Folders: ["", "fashion-mnist", "FashionMNIST/raw", "FashionMNIST", "raw"],
        new("dataset-fashion-mnist", "/usr/share/datasets/fashion-mnist"),
        IdxFiles("train", FashionMirrors, 60_000,
            "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888", "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9"),
        IdxFiles("t10k", FashionMirrors, 10_000,
            "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b", "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34"));

    private static readonly CifarSource Cifar10 = new(
        new("cifar10", "CIFAR-10", 3, 32, 32, ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"],
            50_000, 10_000, true, "https://www.cs.toronto.edu/~kriz/cifar.html"),
        Folders: ["", "cifar-10-batches-bin", "cifar10", "cifar10/cifar-10-batches-bin", "cifar-10"],
        LabelBytes: 1,
        new("cifar-10-binary.tar.gz", 170_052_171, "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd", false,
            ["https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz"]),
        Train: CifarTrain,
        Test: ["cifar-10-batches-bin/test_batch.bin"]);

    private static readonly CifarSource Cifar100 = new(
        new("cifar100", "CIFAR-100", 3, 32, 32,
            [
                "apple", "aquarium_fish", "baby", "bear", "beaver", "bed", "bee", "beetle", "bicycle", "bottle", "bowl", "boy", "bridge",
                "bus", "butterfly", "camel", "can", "castle", "caterpillar", "cattle", "chair", "chimpanzee", "clock", "cloud",
                "cockroach", "couch", "crab", "crocodile", "cup", "dinosaur", "dolphin", "elephant", "flatfish", "forest", "fox", "girl",
                "hamster", "house", "kangaroo", "keyboard", "lamp", "lawn_mower", "leopard", "lion", "lizard", "lobster", "man",
                "maple_tree", "motorcycle", "mountain", "mouse", "mushroom", "oak_tree", "orange", "orchid", "otter", "palm_tree", "pear",
                "pickup_truck", "pine_tree", "plain", "plate", "poppy", "porcupine", "possum", "rabbit", "raccoon", "ray", "road",
                "rocket", "rose", "sea", "seal", "shark", "shrew", "skunk", "skyscraper", "snail", "snake", "spider", "squirrel",
                "streetcar", "sunflower", "sweet_pepper", "table", "tank", "telephone", "television", "tiger", "tractor", "train",
                "trout", "tulip", "turtle", "wardrobe", "whale", "willow_tree", "wolf", "woman", "worm",
            ],
            50_000, 10_000, true, "https://www.cs.toronto.edu/~kriz/cifar.html"),
        Folders: ["", "cifar-100-binary", "cifar100", "cifar100/cifar-100-binary", "cifar-100"],
        LabelBytes: 2,
        new("cifar-100-binary.tar.gz", 168_513_733, "58a81ae192c23a4be8b1804d68e518ed807d710a4eb253b1f2a199162a40d8ec", false,
            ["https://www.cs.toronto.edu/~kriz/cifar-100-binary.tar.gz"]),
        Train: ["cifar-100-binary/train.bin"],
        Test: ["cifar-100-binary/test.bin"]);

    private static readonly DatasetInfo Folder = new("imagefolder", "Image folder", 3, 0, 0, [], 0, 0, false,
        "your own images, as ImageNet: DIR/train/CLASS/*.jpg and DIR/val/CLASS/*.jpg; val may be valid, validation or dev, and test is only " +
        "measured at the end. Without val, or with DIR/CLASS/*.jpg alone, a tenth of each class is held out to choose the best epoch");

    private static readonly DatasetInfo Digits = new("digits", "Digits", 1, DigitScenes.Side, DigitScenes.Side, Mnist.Info.ClassNames, 4000, 500, false,
        "MNIST's digits at random places on canvases, drawn when they are needed")
    {
        HasBoxes = true,
    };

    private static readonly DatasetInfo Voc = new("voc", "Pascal VOC", 3, 0, 0, [], 0, 0, false,
        "your own images with boxes, as Pascal VOC: Annotations/*.xml, JPEGImages/*.jpg and lists in ImageSets/Main")
    {
        HasBoxes = true,
    };

    private static readonly DatasetInfo Coco = new("coco", "COCO", 3, 0, 0, [], 0, 0, false,
        "your own images with boxes, as COCO: annotations/instances_train*.json and instances_val*.json beside the folders of images")
    {
        HasBoxes = true,
    };

    /// <summary>All of them.</summary>
    public static IReadOnlyList<DatasetInfo> All { get; } = [Mnist.Info, FashionMnist.Info, Cifar10.Info, Cifar100.Info, Folder, Digits, Voc, Coco];

    /// <summary>The data set of that name; upper case and separators do not matter (CIFAR-10 is cifar10).</summary>
    /// <exception cref="DataException">There is none; the message lists the names.</exception>
    public static DatasetInfo Find(string name)
    {
        ArgumentNullException.ThrowIfNull(name);
        if (All.FirstOrDefault(info => Plain(info.Name) == Plain(name)) is { } found)
        {
            return found;
        }

        if (Directory.Exists(name))
        {
            throw new DataException($"{name} is a folder, not the name of a data set; that of your own images is {Folder.Name}.")
            {
                Problem = DataProblem.FolderForName,
            };
        }

        DatasetInfo nearest = All.MinBy(info => Levenshtein.Distance(Plain(info.Name), Plain(name)))!;
        string hint = Levenshtein.Distance(Plain(nearest.Name), Plain(name)) <= 3 ? $"did you mean {nearest.Name}? There are" : "there are";
        throw new DataException($"There is no data set \"{name}\"; {hint} {string.Join(", ", All.Select(info => info.Name))}.");
    }

    /// <summary>Reads one split of a data set.</summary>
    /// <param name="name">A name in <see cref="All"/>.</param>
    /// <param name="train">The training images, or the test images (of an image folder without any: its validation images).</param>
    /// <param name="dataDir">
    /// The user's folder, which holds the official files directly or in the customary subfolder (such as mnist or
    /// cifar-10-batches-bin), zipped or not; for CIFAR also the path of the official archive. Null takes MNIST from this assembly; for
    /// others it looks where the system's packages install, then in the cache folder (ADDERNET_CACHE, else addernet in the user's
    /// cache folder), downloading what is missing and checking every file's SHA-256.
    /// </param>
    /// <param name="progress">Hears of downloads, and of other processes that are waited for.</param>
    /// <param name="skipDamaged">Whether to leave out image files that can't be read; otherwise they are all named in an exception.</param>
    /// <param name="cancellation">Stops; an interrupted download continues the next time.</param>
    /// <exception cref="DataException">The name is unknown, or the data missing, damaged or not to be had.</exception>
    /// <exception cref="OperationCanceledException">It was cancelled.</exception>
    public static Dataset Open(
        string name, bool train, string? dataDir = null, IProgress<DownloadProgress>? progress = null, bool skipDamaged = false,
        CancellationToken cancellation = default)
    {
        DatasetInfo info = Find(name);
        if (info.HasBoxes)
        {
            throw new DataException($"{info.Title} has images with boxes, and this takes images of one class each; use another data set.");
        }

        return info.Name switch
        {
            "mnist" => Mnist.Open(train, dataDir, progress, cancellation),
            "fashion-mnist" => FashionMnist.Open(train, dataDir, progress, cancellation),
            "cifar10" => Cifar10.Open(train, dataDir, progress, cancellation),
            "cifar100" => Cifar100.Open(train, dataDir, progress, cancellation),
            _ when train => ImageFolder.Find(info, dataDir, cancellation).OpenTrain(progress, skipDamaged, cancellation),
            _ => ImageFolder.Find(info, dataDir, cancellation).OpenHeldOut(progress, skipDamaged, cancellation),
        };
    }

    /// <summary>Reads all splits of a data set, as <see cref="Open"/> reads one.</summary>
    /// <param name="name">A name in <see cref="All"/>.</param>
    /// <param name="dataDir">As for <see cref="Open"/>.</param>
    /// <param name="progress">Hears of downloads, and of other processes that are waited for.</param>
    /// <param name="skipDamaged">As for <see cref="Open"/>.</param>
    /// <param name="cancellation">Stops.</param>
    /// <exception cref="DataException">The name is unknown, or the data missing, damaged or not to be had.</exception>
    /// <exception cref="OperationCanceledException">It was cancelled.</exception>
    public static DatasetSplits OpenSplits(
        string name, string? dataDir = null, IProgress<DownloadProgress>? progress = null, bool skipDamaged = false,
        CancellationToken cancellation = default)
    {
        DatasetInfo info = Find(name);
        return info.Name == Folder.Name
            ? ImageFolder.Find(info, dataDir, cancellation).OpenSplits(progress, skipDamaged, cancellation)
            : new DatasetSplits(
                Open(name, train: true, dataDir, progress, skipDamaged, cancellation), null,
                Open(name, train: false, dataDir, progress, skipDamaged, cancellation), []);
    }

    /// <summary>Reads all splits of a data set with boxes. All labels and images are checked first.</summary>
    /// <param name="name">One of <see cref="All"/> whose <see cref="DatasetInfo.HasBoxes"/> is set.</param>
    /// <param name="dataDir">The user's folder; null only for those that are drawn.</param>
    /// <param name="progress">Hears of other processes that are waited for.</param>
    /// <param name="skipDamaged">Whether to leave out labels and images that are wrong; otherwise they are all named in an exception.</param>
    /// <param name="cancellation">Stops.</param>
    /// <exception cref="DataException">The name is unknown or of images without boxes, or labels or images are missing or wrong.</exception>
    public static DetectionSplits OpenDetection(
        string name, string? dataDir = null, IProgress<DownloadProgress>? progress = null, bool skipDamaged = false,
        CancellationToken cancellation = default)
    {
        DatasetInfo info = Find(name);
        return info switch
        {
            { HasBoxes: false } => throw new DataException(
                $"{info.Title} has no boxes; for detection there are {string.Join(", ", All.Where(d => d.HasBoxes).Select(d => d.Name))}."),
            { Name: "digits" } => dataDir is null ? DigitScenes.Create() : throw new DataException(
                $"{info.Title} are drawn and come from no folder; leave out {dataDir}, or name a data set with boxes that is in files: voc or coco."),
            _ when dataDir is null => throw new DataException($"{info.Title} has no download.") { Problem = DataProblem.NoDownload },
            { Name: "voc" } => VocFolder.Open(info, dataDir, progress, skipDamaged, cancellation),
            _ => CocoFolder.Open(info, dataDir, progress, skipDamaged, cancellation),
        };
    }

    private static OfficialFile[] IdxFiles(string prefix, string[] mirrors, int count, string imagesSha256, string labelsSha256)
    {
        OfficialFile Make(string name, long bytes, string sha256) => new(name, bytes, sha256, true, [.. mirrors.Select(mirror => mirror + name)]);
        return
        [
            Make($"{prefix}-images-idx3-ubyte.gz", 16 + count * 784L, imagesSha256),
            Make($"{prefix}-labels-idx1-ubyte.gz", 8 + count, labelsSha256),
        ];
    }

    private static string Plain(string name) =>
        name.Replace("-", "", StringComparison.Ordinal).Replace("_", "", StringComparison.Ordinal).Replace(" ", "", StringComparison.Ordinal).ToUpperInvariant();
}
