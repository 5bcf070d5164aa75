namespace AdderNet.Data;

/// <summary>Images as planes, as engines and other runtimes take them; preparation and loaders give the channels of a pixel together.</summary>
internal static class ImagePlanes
{
    /// <summary>Brings images [N, H, W, C] into [N, C, H, W].</summary>
    /// <param name="images">One image or several, channels last.</param>
    /// <param name="channels">Channels of an image.</param>
    /// <param name="pixels">Pixels of an image.</param>
    public static float[] Of(ReadOnlySpan<float> images, int channels, int pixels)
    {
        float[] planes = new float[images.Length];
        for (int start = 0; start < images.Length; start += channels * pixels)
        {
            for (int p = 0; p < pixels; p++)
            {
                for (int c = 0; c < channels; c++)
                {
                    planes[start + c * pixels + p] = images[start + p * channels + c];
                }
            }
        }

        return planes;
    }
}
