using AdderNet.Data;
using AdderNet.Graph;

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
        return Take(loader.Epoch(0), new(loader.Channels, loader.Height, loader.Width), train.Count, wanted);
    }

    /// <summary>Takes the first of an epoch.</summary>
    /// <param name="epoch">The images, which are disposed; no more are asked for than are needed.</param>
    /// <param name="shape">The size of one.</param>
    /// <param name="most">How many there are.</param>
    /// <param name="wanted">How many are taken; null for 256, fewer of large ones.</param>
    public static CalibrationImages Take(IEnumerable<Batch> epoch, FeatureShape shape, int most, int? wanted)
    {
        int length = shape.Count, count = Math.Min(wanted ?? Math.Clamp((1 << 22) / shape.Pixels, 16, 256), most);
        float[] images = new float[checked(count * length)];
        long[] labels = new long[count];
        int taken = 0;
        foreach (Batch batch in epoch)
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

        return new CalibrationImages(images, labels, shape.Height, shape.Width);
    }
}
