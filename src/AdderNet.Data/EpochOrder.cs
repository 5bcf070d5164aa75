namespace AdderNet.Data;

/// <summary>The order of a data set's items in an epoch.</summary>
internal static class EpochOrder
{
    /// <summary>The data set's own order.</summary>
    public static int[] Sequential(int count)
    {
        int[] order = new int[count];
        for (int i = 0; i < order.Length; i++)
        {
            order[i] = i;
        }

        return order;
    }

    /// <summary>An order drawn from the seed and the epoch's number alone (Fisher and Yates).</summary>
    public static int[] Shuffled(int count, ulong seed, int epoch)
    {
        int[] order = Sequential(count);
        var random = new CounterRandom(seed, epoch, -1);
        for (int i = order.Length - 1; i > 0; i--)
        {
            int j = random.Next(i + 1);
            (order[i], order[j]) = (order[j], order[i]);
        }

        return order;
    }
}
