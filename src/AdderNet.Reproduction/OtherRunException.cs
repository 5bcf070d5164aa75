namespace AdderNet.Reproduction;

/// <summary>The folder of a planned run holds another run, which is left alone.</summary>
/// <param name="message">What differs, in one sentence.</param>
/// <param name="epochs">The other run's epochs, where these are what differs.</param>
internal sealed class OtherRunException(string message, int? epochs = null) : Exception(message)
{
    /// <summary>The other run's epochs; null where the recipes differ in something else.</summary>
    public int? Epochs => epochs;
}
