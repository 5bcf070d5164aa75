namespace AdderNet.Cli.Tests.Reproduce;

/// <summary>The mnist experiment over tiny data, made once for all tests that only look at it.</summary>
public sealed class TinyExperiment : IDisposable
{
    private readonly TempFolder folder = new();

    public TinyExperiment()
    {
        Data = TinyData.Write(folder["data"]);
        Mnist = folder["reproduction/mnist"];
        First = Run("mnist", Mnist, "--seeds", "2");
    }

    /// <summary>The data set's folder.</summary>
    public string Data { get; }

    /// <summary>The experiment's folder.</summary>
    public string Mnist { get; }

    internal Outcome First { get; }

    /// <summary>A folder for whatever.</summary>
    internal string this[string name] => folder[name];

    /// <summary>Runs an experiment of 2 epochs.</summary>
    internal Outcome Run(string name, string output, params string[] more) => Addernet.Run(Arguments(name, output, ["--epochs", "2", .. more]));

    internal string[] Arguments(string name, string output, params string[] more) =>
        ["reproduce", name, .. more, "--data-dir", Data, "--threads", "1", "--out", output];

    public void Dispose() => folder.Dispose();
}
