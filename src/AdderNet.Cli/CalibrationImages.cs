using AdderNet.Data;

namespace AdderNet.Cli;

/// <summary>Images for the calibration of a quantized network.</summary>
internal static class CalibrationImages
{
    /// <summary>So many training images, drawn once and for all, without random augmentation: [N, C, H, W].</summary>
    public static float[] Take(Dataset train, Augmentation preparation, int count)
    {
        using DataLoader loader = new(train, preparation, Math.Min(count, 64), shuffle: true, seed: 1);
        int pixels = loader.Height * loader.Width, channels = loader.Channels, length = pixels * channels;
        float[] images = new float[checked(Math.Min(count, train.Count) * length)];
        int at = 0;
        foreach (Batch batch in loader.Epoch(0))
        {
            using (batch)
            {
                // Batches are channels last.
                ReadOnlySpan<float> from = batch.Images.Span;
                for (int i = 0; i < batch.Count && at < images.Length; i++, at += length)
                {
                    for (int k = 0; k < length; k++)
                    {
                        images[at + k % channels * pixels + k / channels] = from[i * length + k];
                    }
                }
            }

            if (at == images.Length)
            {
                break;
            }
        }

        return images;
    }
}
