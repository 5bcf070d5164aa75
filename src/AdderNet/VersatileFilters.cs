namespace AdderNet;

/// <summary>
/// What becomes of each filter of a versatile layer (Wang et al., "Learning Versatile Filters for Efficient CNNs", NeurIPS 2018): the primary
/// filter that is learned is used as several secondary filters, each of which gives an output channel of its own.
/// </summary>
/// <param name="SubKernels">Whether a filter of k x k is also used as (k - 2) x (k - 2), (k - 4) x (k - 4), ... around its centre: s = ceil(k / 2)
/// secondary filters.</param>
/// <param name="ChannelsLeftOut">The paper's c - ĉ: input channels that a filter does not see at once. It slides over the channels, from the first
/// to as many as are left out.</param>
/// <param name="ChannelStride">The paper's g: channels from one place of a filter to the next.</param>
public sealed record VersatileFilters(bool SubKernels = true, int ChannelsLeftOut = 0, int ChannelStride = 1)
{
    /// <summary>Secondary filters of a primary filter of k x k: ceil(k / 2) of the one kind times (c - ĉ) / g + 1 of the other.</summary>
    /// <param name="kernelSize">k.</param>
    public int Count(long kernelSize) => Borders(kernelSize).Count() * Starts.Count();

    /// <summary>Rows and columns that the filters lose on each side.</summary>
    internal IEnumerable<int> Borders(long kernelSize) => Enumerable.Range(0, SubKernels ? (int)(kernelSize + 1) / 2 : 1);

    /// <summary>The first input channels that they see.</summary>
    internal IEnumerable<int> Starts => Enumerable.Range(0, ChannelsLeftOut / ChannelStride + 1).Select(i => i * ChannelStride);

    /// <exception cref="ArgumentException">There are no such filters.</exception>
    internal void Check()
    {
        if (ChannelsLeftOut < 0 || ChannelStride < 1)
        {
            throw new ArgumentException($"Versatile filters leave out 0 channels or more and slide by 1 or more, not {ChannelsLeftOut} and {ChannelStride}.");
        }
    }
}
