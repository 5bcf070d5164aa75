using AdderNet.Data;

namespace AdderNet.Cli;

/// <summary>Images for the calibration of a quantized network.</summary>
internal static class CalibrationImages
{
    /// <summary>So many training images, drawn once and for all, without random augmentation: [N, C, H, W].</summary>
    public static float[] Take(Dataset train, Augmentation preparation, int count)
    {
        using DataLoader loader = new(train, preparation, Math.Min(count, 64), shuffle: true, seed: 1);
        float[] images = new float[checked(Math.Min(count, train.Count) * loader.Height * loader.Width * loader.Channels)];
        Span<float> left = images;
        foreach (Batch batch in loader.Epoch(0))
        {
            using (batch)
            {
                ReadOnlySpan<float> planes = batch.ToPlanes();
                planes = planes[..Math.Min(planes.Length, left.Length)];
                planes.CopyTo(left);
                left = left[planes.Length..];
            }

            if (left.IsEmpty)
            {
                break;
            }
        }

        return images;
    }
}
