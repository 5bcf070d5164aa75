namespace AdderNet.Training;

/// <summary>What processes that train together exchange.</summary>
/// <param name="Bytes">Bytes of gradients that each step sums up.</param>
/// <param name="Buckets">The parts in which they are sent.</param>
/// <param name="Ahead">How long backward passes still ran after the first part had been sent.</param>
/// <param name="Waited">How long this process has waited for sums after its own backward passes were over.</param>
public sealed record GradientTraffic(long Bytes, int Buckets, TimeSpan Ahead, TimeSpan Waited);
