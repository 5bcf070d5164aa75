using AdderNet.Reproduction;

namespace AdderNet.Cli;

/// <summary>What to type about a problem that a library tells: libraries know no options.</summary>
internal static class Hints
{
    /// <summary>The end of the sentence that the exception's message begins; empty where there is nothing to add.</summary>
    public static string For(Exception exception) => exception switch
    {
        OtherRunException { Epochs: { } epochs } => $"; go on with --epochs {epochs}, or choose another folder with --out",
        OtherRunException => "; choose another folder with --out",
        _ => "",
    };
}
