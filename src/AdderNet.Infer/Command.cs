using System.Globalization;
using System.Text.Json;
using AdderNet.Checkpoints;
using AdderNet.Data;
using AdderNet.Inference;
using AdderNet.Kernels;

namespace AdderNet.Infer;

/// <summary><c>addernet-infer</c>: what <c>addernet predict</c> does, without .NET, libtorch or an image library.</summary>
internal static class Command
{
    private const int Success = 0, Failure = 1, Usage = 2;

    private const string Help = """
        addernet-infer MODEL IMAGE...

        The likeliest classes of images. MODEL is a file that has its network: float32, or quantized to 4 to 8 bits.
        Images are PNG, or PGM and PPM of 8 bits (P5 and P6), of any size; for others: djpeg photo.jpg > photo.ppm
        An image that can't be read is told and left out (exit code 1).

          --top K      classes to list, 5 by default
          --invert     take the negative first: MNIST's digits and Fashion-MNIST's clothes are light on black
          --threads N  threads to compute with; all processors by default
          --json       write JSON for scripts
        """;

    private sealed record Arguments(string Model, IReadOnlyList<string> Images, int Top, int? Threads, bool Invert, bool Json);

    /// <summary>Runs the command line to its end and returns the exit code.</summary>
    public static int Run(string[] args, TextWriter output, TextWriter error)
    {
        try
        {
            if (args is [] || args.Any(a => a is "--help" or "-h"))
            {
                (args is [] ? error : output).WriteLine(Help);
                return args is [] ? Usage : Success;
            }

            return Classify(Parse(args), output, error);
        }
        catch (UsageException e)
        {
            error.WriteLine($"Error: {e.Message}; 'addernet-infer --help' shows what there is.");
            return Usage;
        }
        catch (Exception e) when (e is CheckpointException or InferenceException or DataException or KernelChoiceException or IOException)
        {
            error.WriteLine($"Error: {e.Message}");
            return Failure;
        }
        catch (OutOfMemoryException)
        {
            error.WriteLine("Error: there is not enough memory for this model.");
            return Failure;
        }
    }

    private static int Classify(Arguments arguments, TextWriter output, TextWriter error)
    {
        using Classifier classifier = Classifier.Load(arguments.Model, arguments.Threads);
        bool bad = false;
        List<Prediction> predictions = [];
        foreach (string path in arguments.Images)
        {
            try
            {
                Prediction prediction = new(path, classifier.Guess(path, arguments.Top, arguments.Invert));
                predictions.Add(prediction);
                if (!arguments.Json)
                {
                    Show(prediction, output);
                }
            }
            catch (DataException e)
            {
                // One bad image is no reason to leave out the others.
                error.WriteLine($"Error: {e.Message}");
                bad = true;
            }
        }

        if (arguments.Json)
        {
            output.WriteLine(JsonSerializer.Serialize(predictions, PredictionJson.Readable.ListPrediction));
        }

        return bad ? Failure : Success;
    }

    private static void Show(Prediction prediction, TextWriter output)
    {
        output.WriteLine(prediction.Image);
        int width = prediction.Guesses.Max(g => g.Class.Length);
        foreach (Guess guess in prediction.Guesses)
        {
            output.WriteLine(string.Create(
                CultureInfo.InvariantCulture, $"  {guess.Class.PadRight(width)}  {100 * guess.Probability,6:F2} %"));
        }
    }

    private static Arguments Parse(string[] args)
    {
        List<string> names = [];
        int top = 5;
        int? threads = null;
        bool invert = false, json = false, options = true;
        for (int i = 0; i < args.Length; i++)
        {
            switch (options ? args[i] : "")
            {
                case "--":
                    options = false;
                    break;
                case "--top":
                    top = Number(args, ref i, 1_000_000);
                    break;
                case "--threads":
                    threads = Number(args, ref i, 1024);
                    break;
                case "--invert":
                    invert = true;
                    break;
                case "--json":
                    json = true;
                    break;
                case ['-', _, ..]:
                    throw new UsageException($"there is no option {args[i]}");
                default:
                    names.Add(args[i]);
                    break;
            }
        }

        return names switch
        {
            [] => throw new UsageException("MODEL is missing"),
            [_] => throw new UsageException("IMAGE is missing"),
            [var model, .. var images] => new Arguments(model, images, top, threads, invert, json),
        };
    }

    private static int Number(string[] args, ref int i, int most)
    {
        string option = args[i++], text = i < args.Length ? args[i] : "";
        return int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out int value) && value >= 1 && value <= most
            ? value
            : throw new UsageException($"{option} takes a whole number from 1 to {most}, not '{text}'");
    }

    private sealed class UsageException(string message) : Exception(message);
}
