using System.Text.Json;
using AdderNet.Data;
using AdderNet.Graph;
using AdderNet.Infer;
using AdderNet.Inference;
using SkiaSharp;

namespace AdderNet.Native.Tests;

/// <summary><c>addernet-infer</c>, in this process.</summary>
public sealed class InferTests : IDisposable
{
    private readonly TempFolder folder = new();

    public void Dispose() => folder.Dispose();

    [Fact]
    public void An_image_is_prepared_as_the_model_says_and_gets_the_engines_scores()
    {
        string model = Saved(Models.Small(Models.Padded)), image = Written("image.ppm", Models.Ppm(10, 16, Models.Bytes(10 * 16 * 3)));
        RawImage covered = ImageOf(10, 16).ResizeToCover(8, 8);
        (float[] pixels, _, _) = new Augmentation { Pad = 2, Mean = [.5f, .4f, .3f], Std = [.25f] }.Apply(covered);
        float[] planes = [.. Enumerable.Range(0, pixels.Length).Select(i => pixels[i % 144 * 3 + i / 144])], scores = new float[3];
        using (Engine engine = Engine.Load(model, threads: 1))
        {
            engine.Run(planes, scores);
        }

        (int exit, string output, string error) = Run(model, image, "--json");

        Assert.Equal((0, ""), (exit, error));
        JsonElement[] guesses = [.. JsonDocument.Parse(output).RootElement[0].GetProperty("guesses").EnumerateArray()];
        double most = scores.Max(), sum = scores.Sum(s => Math.Exp(s - most));
        Assert.Equal(3, guesses.Length);
        Assert.All(guesses, g => Assert.Equal(
            Math.Exp(scores[g.GetProperty("index").GetInt32()] - most) / sum, g.GetProperty("probability").GetDouble(), 1e-6));
        Assert.Equal(Models.ClassNames[scores.AsSpan().IndexOf(scores.Max())], guesses[0].GetProperty("class").GetString());
    }

    [Theory]
    [InlineData(SKColorType.Rgba8888)]
    [InlineData(SKColorType.Gray8)]
    public void A_PNG_gives_the_pixels_that_an_image_library_gives(SKColorType colours)
    {
        using SKBitmap bitmap = new(new SKImageInfo(23, 9, colours, SKAlphaType.Opaque));
        new Random(5).NextBytes(bitmap.GetPixelSpan());
        using SKData png = bitmap.Encode(SKEncodedImageFormat.Png, 100);
        string path = Written("image.png", png.ToArray());

        RawImage plain = PlainImageFile.Read(path), library = ImageFile.Read(path);

        Assert.Equal((library.Height, library.Width, library.Channels), (plain.Height, plain.Width, plain.Channels));
        Assert.Equal(library.Pixels.ToArray(), plain.Pixels.ToArray());
    }

    [Fact]
    public void An_image_that_cannot_be_read_is_told_and_left_out()
    {
        string model = Saved(Models.Small(Models.Padded)), good = Written("good.ppm", Models.Ppm(8, 8, Models.Bytes(192)));
        string cut = Written("cut.ppm", Models.Ppm(8, 8, Models.Bytes(191))), jpeg = Written("photo.png", [0xFF, 0xD8, 0xFF, 0xE0, 0, 0]);

        (int exit, string output, string error) = Run(model, cut, jpeg, good, "--top", "1");

        Assert.Equal(1, exit);
        Assert.StartsWith(good + "\n  ", output.ReplaceLineEndings("\n"), StringComparison.Ordinal);
        Assert.Equal(2, output.Split('\n', StringSplitOptions.RemoveEmptyEntries).Length);
        Assert.Contains($"{cut} is cut short", error, StringComparison.Ordinal);
        Assert.Contains($"{jpeg} is a JPEG image, and this program reads PNG, PGM and PPM", error, StringComparison.Ordinal);
    }

    [Fact]
    public void The_negative_is_that_of_the_stored_image()
    {
        string model = Saved(Models.Small(Models.Padded));
        byte[] pixels = Models.Bytes(192);
        string dark = Written("dark.ppm", Models.Ppm(8, 8, pixels));
        string light = Written("light.ppm", Models.Ppm(8, 8, [.. pixels.Select(p => (byte)(255 - p))]));

        Assert.Equal(Guesses(light), Guesses(dark, "--invert"));
        Assert.NotEqual(Guesses(dark), Guesses(dark, "--invert"));

        string Guesses(params string[] arguments)
        {
            string output = Run([model, "--json", .. arguments]).Output;
            return output[output.IndexOf("guesses", StringComparison.Ordinal)..];
        }
    }

    [Theory]
    [InlineData("IMAGE is missing", "model")]
    [InlineData("there is no option --tops", "model", "image", "--tops", "3")]
    [InlineData("--top takes a whole number from 1 to 1000000, not '0'", "model", "image", "--top", "0")]
    [InlineData("--threads takes a whole number from 1 to 1024, not ''", "model", "image", "--threads")]
    public void A_wrong_command_line_is_exit_code_2(string complaint, params string[] arguments)
    {
        (int exit, string output, string error) = Run(arguments);

        Assert.Equal((2, "", $"Error: {complaint}; 'addernet-infer --help' shows what there is."), (exit, output, error.TrimEnd()));
    }

    [Fact]
    public void A_model_that_does_not_fit_images_is_exit_code_1()
    {
        string image = Written("image.ppm", Models.Ppm(8, 8, Models.Bytes(192)));

        Assert.Contains("does not say how an image becomes its input", Refused(Saved(Models.Small()), image), StringComparison.Ordinal);
        Assert.Contains("nowhere.safetensors", Refused(Path.Combine(folder.Path, "nowhere.safetensors"), image), StringComparison.Ordinal);
        Assert.Contains(
            "becomes an input of 8x8, and", Refused(Saved(Models.Small(new InputPreparation([0], [1]))), image), StringComparison.Ordinal);

        NetworkGraph detector = new(
            [InputNode.Of("image", new FeatureShape(1, 8, 8)), new FlattenNode { Name = "row", Inputs = ["image"] }], [new GraphOutput("row", "row")],
            new NetworkMetadata(ClassNames: Models.ClassNames, Preparation: new InputPreparation([0], [1]), Boxes: new BoxDecoding(2, 4, [1])));
        Assert.Contains("is a detector, and this program tells images apart", Refused(Saved(detector), image), StringComparison.Ordinal);

        string Refused(params string[] arguments)
        {
            (int exit, string output, string error) = Run(arguments);
            Assert.Equal((1, ""), (exit, output));
            return error;
        }
    }

    private static (int ExitCode, string Output, string Error) Run(params string[] arguments)
    {
        using StringWriter output = new(), error = new();
        return (Command.Run(arguments, output, error), output.ToString(), error.ToString());
    }

    private static RawImage ImageOf(int height, int width) => new(height, width, 3, Models.Bytes(height * width * 3));

    private string Saved(NetworkGraph graph)
    {
        string path = Path.Combine(folder.Path, "model.safetensors");
        graph.Save(path);
        return path;
    }

    private string Written(string name, byte[] content)
    {
        string path = Path.Combine(folder.Path, name);
        File.WriteAllBytes(path, content);
        return path;
    }
}
