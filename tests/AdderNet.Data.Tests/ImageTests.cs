using System.Buffers.Binary;
using System.Security.Cryptography;
using SkiaSharp;

namespace AdderNet.Data.Tests;

public sealed class ImageTests : IDisposable
{
    private readonly TempFolder folder = new();

    public void Dispose() => folder.Dispose();

    // What Pillow 9.4's Image.resize(..., BILINEAR) makes of the same noise.
    [Theory]
    [InlineData(37, 29, 1, 16, 16, "d59277536304e329ee6547304f58cc81fa1bb7939696c30dc92342c84796dd6b")]
    [InlineData(37, 29, 1, 64, 50, "27e105735136e838abe40e3828814c2e3d1458a444de39646c635b70165c22ac")]
    [InlineData(100, 75, 3, 341, 256, "6eb88a01fc1eb668671dcea384db95ffa8656acae30bc13268671157006c1044")]
    [InlineData(64, 64, 4, 64, 20, "394543453a6dd35019bea17e739e423f06443bdc51a7460a2fb429d5dc8041f5")]
    [InlineData(7, 300, 5, 5, 31, "c90f528e044c266f2ad018af933b9f56ed2fe794dc64a5695f83a13e7815f708")]
    public void Resizing_equals_Pillows_bit_for_bit(int width, int height, uint seed, int newWidth, int newHeight, string sha256)
    {
        RawImage resized = Samples.NoiseImage(width, height, seed).Resize(newHeight, newWidth);
        Assert.Equal((newHeight, newWidth), (resized.Height, resized.Width));
        Assert.Equal(sha256, Convert.ToHexStringLower(SHA256.HashData(resized.Pixels.Span)));
    }

    [Fact]
    public void A_part_is_resized_as_if_it_were_cut_out_first()
    {
        byte[] output = new byte[24 * 24 * 3];
        new Resampler().Run(Samples.NoiseImage(37, 29, 2), top: 3, left: 5, cropH: 25, cropW: 20, 24, 24, output);
        Assert.Equal("29782dfd3a15f5e47aa4da9a170add6de10e2a09795da1962da0eff71990ce95", Convert.ToHexStringLower(SHA256.HashData(output)));
    }

    [Fact]
    public void Grey_equals_Pillows_bit_for_bit()
    {
        RawImage grey = Samples.NoiseImage(37, 29, 1).WithChannels(1);
        Assert.Equal("799280d5a7330659f01edbd257d0d0946f74227b035d9cabbcd8f9c3a7b1c85d", Convert.ToHexStringLower(SHA256.HashData(grey.Pixels.Span)));
        Assert.Equal(grey.Pixels.ToArray(), grey.WithChannels(3).WithChannels(1).Pixels.ToArray());
    }

    [Theory]
    [InlineData(200, 100, 28, 28)]
    [InlineData(100, 200, 28, 28)]
    [InlineData(10, 10, 32, 16)]
    public void Covering_keeps_the_middle_and_stretches_nothing(int width, int height, int newHeight, int newWidth)
    {
        // A centred square of the short side's half is still a centred square afterwards.
        int half = Math.Min(width, height) / 4;
        byte[] pixels = new byte[width * height];
        for (int y = height / 2 - half; y < height / 2 + half; y++)
        {
            pixels.AsSpan(y * width + width / 2 - half, 2 * half).Fill(255);
        }

        RawImage covered = new RawImage(height, width, 1, pixels).ResizeToCover(newHeight, newWidth);
        ReadOnlySpan<byte> result = covered.Pixels.Span;
        int across = 0, down = 0;
        for (int i = 0; i < newWidth; i++)
        {
            across += result[newHeight / 2 * newWidth + i] > 127 ? 1 : 0;
        }

        for (int i = 0; i < newHeight; i++)
        {
            down += result[i * newWidth + newWidth / 2] > 127 ? 1 : 0;
        }

        Assert.Equal(across, down, tolerance: 1.0);
        Assert.True(result[newHeight / 2 * newWidth + newWidth / 2] == 255);
    }

    [Fact]
    public void A_PNG_is_read_exactly_and_its_transparency_dropped()
    {
        byte[] png = Samples.ImageFile(5, 4, SKEncodedImageFormat.Png, new SKColor(200, 100, 50, 128));
        RawImage image = ImageFile.Read(folder.Write("a.png", png));
        Assert.Equal((4, 5, 3), (image.Height, image.Width, image.Channels));
        for (int i = 0; i < 20; i++)
        {
            Assert.Equal(new byte[] { 200, 100, 50 }, image.Pixels.Slice(3 * i, 3).ToArray());
        }
    }

    [Theory]
    [InlineData("mnist", 28, 1)]
    [InlineData("cifar10", 32, 3)]
    [InlineData("imagefolder", 0, 3)]
    public void An_image_of_any_size_becomes_one_of_a_data_set(string dataset, int side, int channels)
    {
        string path = folder.Write("a.jpg", Samples.ImageFile(61, 47, SKEncodedImageFormat.Jpeg));
        RawImage image = ImageFile.Read(path, Datasets.Find(dataset));
        Assert.Equal(side == 0 ? (47, 61, channels) : (side, side, channels), (image.Height, image.Width, image.Channels));
        (float[] pixels, int height, int width) = Augmentation.For(dataset, train: false).Apply(image);
        Assert.Equal(side == 0 ? (224, 224) : (32, 32), (height, width));
        Assert.Equal(height * width * channels, pixels.Length);
    }

    [Fact]
    public void A_JPEG_is_read_close_to_what_was_written()
    {
        RawImage png = ImageFile.Decode(Samples.ImageFile(61, 47, SKEncodedImageFormat.Png), "png");
        RawImage jpeg = ImageFile.Decode(Samples.ImageFile(61, 47, SKEncodedImageFormat.Jpeg), "jpeg");
        double error = 0;
        for (int i = 0; i < png.Pixels.Length; i++)
        {
            error += Math.Abs(png.Pixels.Span[i] - jpeg.Pixels.Span[i]);
        }

        Assert.InRange(error / png.Pixels.Length, 0, 4);
    }

    [Fact]
    public void A_grey_JPEG_has_three_equal_channels()
    {
        using var bitmap = new SKBitmap(new SKImageInfo(16, 16, SKColorType.Gray8));
        bitmap.Erase(new SKColor(77, 77, 77));
        using SKData data = bitmap.Encode(SKEncodedImageFormat.Jpeg, 95);
        RawImage image = ImageFile.Decode(data.ToArray(), "grey");
        Assert.Equal(3, image.Channels);
        Assert.All(image.Pixels.ToArray(), value => Assert.InRange(value, 75, 79));
    }

    [Fact]
    public void A_photograph_of_24_megapixels_is_read_at_half_its_size()
    {
        using var bitmap = new SKBitmap(new SKImageInfo(6000, 4000, SKColorType.Rgba8888));
        bitmap.Erase(new SKColor(10, 200, 90));
        using SKData data = bitmap.Encode(SKEncodedImageFormat.Jpeg, 80);
        RawImage image = ImageFile.Decode(data.ToArray(), "photo");
        Assert.Equal((2000, 3000), (image.Height, image.Width));
        Assert.InRange(image.Pixels.Span[1], 195, 205);
    }

    [Fact]
    public void A_file_that_is_no_image_is_told()
    {
        string path = folder.Write("cat.jpg", "hello"u8.ToArray());
        Refused.Says(() => ImageFile.Read(path), path, "is not an image that is read");
        folder.Write("cat.jpg", []);
        Refused.Says(() => ImageFile.Read(path), path, "is empty");
        Refused.Says(() => ImageFile.Read(folder["none.png"]), folder["none.png"], "does not exist");
        Refused.Says(() => ImageFile.Read(folder.Path), folder.Path, "is a folder");
    }

    [Theory]
    [InlineData(SKEncodedImageFormat.Jpeg, "JPEG")]
    [InlineData(SKEncodedImageFormat.Png, "PNG")]
    public void An_image_that_is_cut_short_is_told(SKEncodedImageFormat format, string name)
    {
        byte[] file = Samples.ImageFile(60, 60, format);
        Refused.Says(() => ImageFile.Decode(file.AsSpan(0, file.Length / 2), "half"), "half", name);
        Refused.Says(() => ImageFile.Decode(file.AsSpan(0, 20), "start"), "start", name);
    }

    [Fact]
    public void A_PNG_that_claims_a_billion_pixels_takes_no_memory()
    {
        byte[] png = Samples.ImageFile(60, 60, SKEncodedImageFormat.Png);
        BinaryPrimitives.WriteUInt32BigEndian(png.AsSpan(16), 40_000);
        BinaryPrimitives.WriteUInt32BigEndian(png.AsSpan(20), 40_000);
        png = Checksums.RepairPng(png);
        long before = GC.GetAllocatedBytesForCurrentThread();
        Refused.Says(() => ImageFile.Decode(png, "bomb"), "bomb has 40000x40000 pixels", "scale it down");
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 1 << 20);
    }

    [Fact]
    public void A_JPEG_that_claims_more_pixels_than_its_bytes_can_hold_is_told()
    {
        byte[] jpeg = Samples.ImageFile(60, 60, SKEncodedImageFormat.Jpeg);
        int frame = jpeg.AsSpan().IndexOf<byte>([0xFF, 0xC0]);
        BinaryPrimitives.WriteUInt16BigEndian(jpeg.AsSpan(frame + 5), 60_000);
        BinaryPrimitives.WriteUInt16BigEndian(jpeg.AsSpan(frame + 7), 60_000);
        Refused.Says(() => ImageFile.Decode(jpeg, "bomb"), "bomb claims 60000x60000 pixels");
    }
}
