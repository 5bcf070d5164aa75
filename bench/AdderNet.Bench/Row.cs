namespace AdderNet.Bench;

/// <summary>One measured ratio: ours against a peer's, both medians of interleaved runs.</summary>
/// <param name="Suite">What kind of work.</param>
/// <param name="Case">Which layer or model.</param>
/// <param name="Threads">Threads both sides had.</param>
/// <param name="Ours">Our seconds (or, where the suite says so, bytes or elements a second).</param>
/// <param name="Peer">The peer's.</param>
/// <param name="Unit">What Ours and Peer are measured in.</param>
internal sealed record Row(string Suite, string Case, int Threads, double Ours, double Peer, string Unit)
{
    /// <summary>Ours over the peer's.</summary>
    public double Ratio => Ours / Peer;
}
