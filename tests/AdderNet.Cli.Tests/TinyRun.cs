namespace AdderNet.Cli.Tests;

/// <summary>Tiny data and a run over it, trained once for all tests that only look at it.</summary>
public sealed class TinyRun : IDisposable
{
    private readonly TempFolder folder = new();

    public TinyRun()
    {
        Data = TinyData.Write(folder["data"]);
        Run = folder["run"];
        Training = Addernet.Run([.. Train, "--out", Run]);
    }

    /// <summary>The data set's folder.</summary>
    public string Data { get; }

    /// <summary>The run folder.</summary>
    public string Run { get; }

    /// <summary>A folder for whatever.</summary>
    internal string this[string name] => folder[name];

    internal Outcome Training { get; }

    /// <summary>The arguments of the run, without its folder.</summary>
    internal string[] Train => ["train", "--data-dir", Data, "--epochs", "6", "--batch-size", "16", "--threads", "1"];

    public void Dispose() => folder.Dispose();
}
