using AdderNet.Data;

namespace AdderNet.Cli;

/// <summary>Some training images, drawn once and for all and without random augmentation, that a network is looked at with.</summary>
/// <param name="Values">The images [N, C, H, W], prepared as the network takes them.</param>
/// <param name="Labels">Their classes.</param>
/// <param name="Height">Rows of one.</param>
/// <param name="Width">Columns of one.</param>
internal sealed record CalibrationImages(float[] Values, long[] Labels, int Height, int Width)
{
    /// <summary>Draws them.</summary>
    /// <param name="train">The training images.</param>
    /// <param name="preparation">How they are prepared.</param>
    /// <param name="wanted">How many; null for 256, fewer of large ones.</param>
    public static CalibrationImages Take(Dataset train, Augmentation preparation, int? wanted)
    {
        const int together = 64;
        using DataLoader loader = new(train, preparation, Math.Min(wanted ?? together, together), shuffle: true, seed: 1);
        int length = loader.Channels * loader.Height * loader.Width;
        int count = Math.Min(wanted ?? Math.Clamp((1 << 22) / (loader.Height * loader.Width), 16, 256), train.Count);
        float[] images = new float[checked(count * length)];
        long[] labels = new long[count];
        int taken = 0;
        foreach (Batch batch in loader.Epoch(0))
        {
            using (batch)
            {
                int some = Math.Min(batch.Count, count - taken);
                batch.ToPlanes().AsSpan(0, some * length).CopyTo(images.AsSpan(taken * length));
                for (int i = 0; i < some; i++)
                {
                    labels[taken + i] = batch.Labels[i];
                }

                taken += some;
            }

            if (taken == count)
            {
                break;
            }
        }

        return new CalibrationImages(images, labels, loader.Height, loader.Width);
    }
}
