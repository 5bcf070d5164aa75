using System.Diagnostics;
using System.IO.Compression;
using AdderNet.Checkpoints;
using AdderNet.Training;

namespace AdderNet.Cli.Tests;

public class BadInputTests(TinyRun tiny) : IClassFixture<TinyRun>
{
    [Fact]
    public void A_folder_without_the_data_is_told()
    {
        string empty = Directory.CreateDirectory(tiny["empty"]).FullName;
        Assert.Contains("train-images-idx3-ubyte", TrainOn(empty));
        Assert.Contains("does not exist", TrainOn(tiny["nowhere/at/all"]));
    }

    [Fact]
    public void A_truncated_gz_is_told()
    {
        string data = Copy("truncated");
        string file = Path.Combine(data, "train-images-idx3-ubyte");
        MemoryStream zipped = new();
        using (GZipStream gzip = new(zipped, CompressionLevel.Fastest, leaveOpen: true))
        {
            gzip.Write(File.ReadAllBytes(file));
        }

        File.Delete(file);
        File.WriteAllBytes(file + ".gz", zipped.ToArray()[..(int)(zipped.Length / 2)]);
        Assert.Contains(file + ".gz", TrainOn(data));
    }

    [Fact]
    public void A_wrong_magic_number_is_told() => Assert.Contains("not an IDX file", TrainOn(Changed("train-images-idx3-ubyte", 2, 13)));

    [Fact]
    public void A_label_out_of_range_is_told() => Assert.Contains("label", TrainOn(Changed("t10k-labels-idx1-ubyte", 20, 10)));

    [Fact]
    public void A_missing_file_is_told()
    {
        Assert.Contains(tiny["no.png"], Addernet.Run("predict", tiny["no.png"], "--run", tiny.Run).FailsWith(ExitCode.Failure));
        Assert.Contains(tiny["no.pth"], Addernet.Run("eval", tiny["no.pth"], "--model", "resnet20", "--data", "cifar10").FailsWith(ExitCode.Failure));
        Assert.Contains(tiny["no.json"], Addernet.Run("train", "--recipe", tiny["no.json"]).FailsWith(ExitCode.Failure));
        Assert.Contains(tiny["no.pth"], Addernet.Run("convert", tiny["no.pth"], tiny["out.safetensors"]).FailsWith(ExitCode.Failure));
        Assert.False(File.Exists(tiny["out.safetensors"]));
    }

    [Fact]
    public void An_image_that_is_no_image_is_told()
    {
        string file = tiny["text.png"];
        File.WriteAllText(file, "no picture");
        Assert.Contains($"{file} is not an image that is read", Addernet.Run("predict", file, "--run", tiny.Run).FailsWith(ExitCode.Failure));
    }

    [Fact]
    public void A_recipe_that_is_no_recipe_is_told_with_its_field()
    {
        string file = tiny["bad.json"];
        File.WriteAllText(file, "{ \"epoks\": 3 }");
        Assert.Contains("epoks", Addernet.Run("train", "--recipe", file).FailsWith(ExitCode.Failure));
        File.WriteAllText(file, "{ \"epochs\": ");
        Assert.Contains(file, Addernet.Run("train", "--recipe", file).FailsWith(ExitCode.Failure));
        File.WriteAllText(file, "{ \"model\": \"resnet200\" }");
        Assert.Contains("did you mean resnet20?", Addernet.Run("train", "--recipe", file).FailsWith(ExitCode.Failure));
    }

    [Fact]
    public void A_corrupt_checkpoint_is_told_by_eval_and_by_resume()
    {
        string run = tiny["corrupt"];
        Addernet.Run([.. tiny.Train, "--out", run]).Succeeds();
        string recipe = Path.Combine(run, "recipe.json");
        File.WriteAllText(recipe, File.ReadAllText(recipe).Replace("\"epochs\": 6", "\"epochs\": 7", StringComparison.Ordinal));
        foreach (string weights in Directory.GetFiles(run, "*.safetensors", SearchOption.AllDirectories))
        {
            byte[] bytes = File.ReadAllBytes(weights);
            bytes[^100] ^= 0x40;
            File.WriteAllBytes(weights, bytes);
        }

        Assert.Contains(run, Addernet.Run("eval", run, "--data-dir", tiny.Data).FailsWith(ExitCode.Failure));
        Assert.Contains(run, Addernet.Run("train", "--resume", run).FailsWith(ExitCode.Failure));
    }

    [Fact]
    public void Weights_of_another_model_are_told_with_what_does_not_fit()
    {
        string message = Addernet.Run("eval", Weights(), "--model", "resnet20", "--data", "mnist", "--data-dir", tiny.Data).FailsWith(ExitCode.Failure);
        Assert.Contains("does not fit", message);
    }

    [Theory]
    [InlineData("bare.pth")]
    [InlineData("bare.pth.tar")]
    [InlineData("bare")]
    public void A_file_of_bare_weights_is_known_by_its_content_and_asked_what_it_is(string name)
    {
        string weights = tiny["weights.pth"], bare = tiny[name];
        Addernet.Run("convert", tiny.Run, weights, "--force").Succeeds();
        File.Copy(weights, bare);
        foreach (string[] command in (string[][])[["eval", bare], ["info", bare], ["quantize", bare], ["export", bare, "--to", "c", tiny["made"]]])
        {
            Assert.Equal(
                $"Error: {bare} does not say what model it holds; say with --model and --data what it is, for example --model resnet20 --data cifar10.",
                Addernet.Run(command).FailsWith(ExitCode.Failure).Trim());
        }

        Assert.Contains("Say with --data", Addernet.Run("info", bare, "--model", "lenet5-bn").FailsWith(ExitCode.Usage));
        Assert.Contains(bare, Addernet.Run("info", bare, "--model", "lenet5-bn", "--data", "mnist").Succeeds());
    }

    [Fact]
    public void Convert_goes_to_PyTorch_and_back_and_replaces_nothing_unasked()
    {
        string weights = Weights(), pth = tiny["copy.pth"], back = tiny["back.safetensors"];
        Assert.Contains(pth, Addernet.Run("convert", tiny.Run, pth).Succeeds());
        Addernet.Run("convert", pth, back).Succeeds();
        var before = CheckpointFiles.ReadStateDict(weights).Tensors;
        var after = CheckpointFiles.ReadStateDict(back).Tensors;
        Assert.Equal(before.Keys, after.Keys);
        Assert.All(before, t => Assert.True(t.Value.Data.Span.SequenceEqual(after[t.Key].Data.Span)));
        Assert.Contains("--force", Addernet.Run("convert", weights, pth).FailsWith(ExitCode.Failure));
        Addernet.Run("convert", weights, pth, "--force").Succeeds();
        Assert.Contains(".safetensors, .pth or .pt", Addernet.Run("convert", weights, tiny["copy.bin"]).FailsWith(ExitCode.Failure));
    }

    [Fact]
    public void A_real_process_fails_with_one_sentence_too()
    {
        using TempFolder work = new();
        Outcome outcome = Addernet.RunProcess(work.Path, "train", "--data-dir", "missing");
        Assert.Contains("missing", outcome.FailsWith(ExitCode.Failure));
        Assert.Empty(outcome.Out);
        Assert.Empty(Directory.GetFileSystemEntries(work.Path));
        Assert.Contains("There is no run in", Addernet.RunProcess(work.Path, "eval").FailsWith(ExitCode.Failure));
        Assert.Contains("did you mean", Addernet.RunProcess(work.Path, "evil").FailsWith(ExitCode.Usage));
    }

    [Fact]
    public void A_full_disk_is_told_and_leaves_no_partial_file()
    {
        using TempFolder work = new();
        // A disk of 200 kB that only this process sees: too small for the first checkpoint.
        string script = $"mount -t tmpfs -o size=200k tmpfs {work.Path} || exit 77; \"$@\"; code=$?; find {work.Path} -type f -printf '%f %s\\n'; exit $code";
        ProcessStartInfo start = Addernet.Start(tiny["."], [.. tiny.Train, "--out", Path.Combine(work.Path, "run")]);
        string[] program = [start.FileName, .. start.ArgumentList];
        start.FileName = "unshare";
        start.ArgumentList.Clear();
        foreach (string argument in (string[])["-Urm", "sh", "-c", script, "sh", .. program])
        {
            start.ArgumentList.Add(argument);
        }

        Outcome outcome;
        try
        {
            outcome = Addernet.Finish(Process.Start(start)!);
        }
        catch (System.ComponentModel.Win32Exception)
        {
            Assert.Skip("There is no unshare here.");
            return;
        }

        Assert.SkipWhen(outcome.ExitCode == 77 || outcome.Error.StartsWith("unshare", StringComparison.Ordinal), "This system allows no private mounts.");
        string message = outcome.FailsWith(ExitCode.Failure);
        Assert.Contains("run", message);
        string[] left = [.. outcome.Out.Split('\n').Where(l => l.Contains(".tmp", StringComparison.Ordinal) || l.Contains(".safetensors", StringComparison.Ordinal))];
        Assert.Empty(left);
    }

    private string Weights()
    {
        using TrainedModel best = TrainedModel.Load(tiny.Run);
        return best.WeightsPath;
    }

    private string TrainOn(string data)
    {
        string run = tiny[$"run-{Path.GetFileName(data)}"];
        string message = Addernet.Run("train", "--data-dir", data, "--epochs", "1", "--out", run).FailsWith(ExitCode.Failure);
        Assert.False(Path.Exists(run));
        return message;
    }

    private string Copy(string name)
    {
        string copy = Directory.CreateDirectory(tiny[name]).FullName;
        foreach (string file in Directory.GetFiles(tiny.Data))
        {
            File.Copy(file, Path.Combine(copy, Path.GetFileName(file)));
        }

        return copy;
    }

    private string Changed(string file, int at, byte value)
    {
        string data = Copy($"{file}-{at}"), path = Path.Combine(data, file);
        byte[] bytes = File.ReadAllBytes(path);
        bytes[at] = value;
        File.WriteAllBytes(path, bytes);
        return data;
    }
}
