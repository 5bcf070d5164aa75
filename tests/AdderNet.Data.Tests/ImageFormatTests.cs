using CsCheck;
using SkiaSharp;

namespace AdderNet.Data.Tests;

/// <summary>Each kind of image file that people bring, by the values of its pixels.</summary>
public sealed class ImageFormatTests : IDisposable
{
    private static readonly string TestData = Path.Combine(AppContext.BaseDirectory, "TestData");

    private static readonly (int Depth, int Colour)[] Kinds =
        [(1, 0), (2, 0), (4, 0), (8, 0), (16, 0), (8, 2), (16, 2), (4, 3), (8, 3), (8, 4), (16, 4), (8, 6), (16, 6)];

    private readonly TempFolder folder = new();

    public static TheoryData<int, string> Orientations => new()
    {
        { 1, "RGBW" }, { 2, "GRWB" }, { 3, "WBGR" }, { 4, "BWRG" }, { 5, "RBGW" }, { 6, "BRWG" }, { 7, "WGBR" }, { 8, "GWRB" },
        { 0, "RGBW" }, { 9, "RGBW" },
    };

    public void Dispose() => folder.Dispose();

    [Theory]
    [MemberData(nameof(Orientations))]
    public void A_photo_is_seen_upright(int orientation, string quarters)
    {
        byte[] jpeg = ImageSamples.Encoded(SKEncodedImageFormat.Jpeg), webP = ImageSamples.Encoded(SKEncodedImageFormat.Webp);
        byte[] exif = ImageSamples.Exif(orientation), big = ImageSamples.Exif(orientation, little: false);
        byte[] Png(byte[] block, bool interlaced) => ImageSamples.Png(
            64, 32, 8, 2, (x, y) => [.. ImageSamples.Quarter(x, y, 64, 32).Select(v => (int)v)], interlaced, exif: block);
        foreach (byte[] file in new[]
        {
            ImageSamples.WithExif(jpeg, exif), ImageSamples.WithExif(jpeg, big), ImageSamples.ExtendedWebP(webP, 64, 32, exif), Png(exif, false), Png(big, true),
        })
        {
            RawImage image = ImageFile.Decode(file, "photo");
            Assert.Equal(orientation is >= 5 and <= 8 ? (64, 32) : (32, 64), (image.Height, image.Width));
            Assert.Equal(quarters, ImageSamples.Read(image));
        }
    }

    [Fact]
    public void The_cases_of_public_reports_are_read()
    {
        RawImage Case(string name) => ImageFile.Read(Path.Combine(TestData, name));
        RawImage plain = Case("j01_rgb.jpg"), turned = Case("j02_exif_orientation6.jpg"), cmyk = Case("j03_cmyk_adobe.jpg");
        Assert.Equal((64, 32), (turned.Height, turned.Width));
        Assert.Equal(plain.Upright(SKEncodedOrigin.RightTop).Pixels.ToArray(), turned.Pixels.ToArray());
        for (int i = 0; i < plain.Pixels.Length; i++)
        {
            Assert.InRange(cmyk.Pixels.Span[i] - plain.Pixels.Span[i], -3, 3);
        }

        RawImage unended = Case("j06_without_end_marker.jpg");
        Assert.Equal((256, 256), (unended.Height, unended.Width));
        RawImage large = Case("j08_progressive_20_megapixels.jpg");
        Assert.Equal((2000, 2500), (large.Height, large.Width));
    }

    [Fact]
    public void A_JPEG_without_its_end_is_read_where_all_pixels_are_there_and_told_where_not()
    {
        byte[] jpeg = Samples.ImageFile(150, 130, SKEncodedImageFormat.Jpeg);
        RawImage whole = ImageFile.Decode(jpeg, "whole");
        foreach (int left in new[] { 1, 2 })
        {
            Assert.Equal(whole.Pixels.ToArray(), ImageFile.Decode(jpeg.AsSpan(0, jpeg.Length - left), "unended").Pixels.ToArray());
        }

        for (int length = jpeg.Length - 6; length > 700; length -= 97)
        {
            Refused.Says(() => ImageFile.Decode(jpeg.AsSpan(0, length), "part"), "part is a JPEG image that is cut short");
        }
    }

    [Fact]
    public void A_thumbnails_end_is_not_taken_for_the_images()
    {
        byte[] thumbnail = ImageSamples.Encoded(SKEncodedImageFormat.Jpeg, 16, 16), jpeg = Samples.ImageFile(150, 130, SKEncodedImageFormat.Jpeg);
        byte[] file = ImageSamples.WithExif(jpeg, [.. ImageSamples.Exif(1), .. thumbnail]);
        ImageFile.Decode(file, "whole");
        Refused.Says(() => ImageFile.Decode(file.AsSpan(0, file.Length - 300), "part"), "cut short");
    }

    [Theory]
    [InlineData(1, 0, false)]
    [InlineData(2, 0, false)]
    [InlineData(4, 0, true)]
    [InlineData(8, 0, true)]
    [InlineData(16, 0, false)]
    [InlineData(16, 0, true)]
    [InlineData(8, 4, false)]
    [InlineData(16, 4, true)]
    [InlineData(8, 2, true)]
    [InlineData(16, 2, false)]
    [InlineData(8, 6, false)]
    [InlineData(16, 6, true)]
    public void Every_PNG_of_numbers_has_its_values(int depth, int colour, bool interlaced)
    {
        const int Width = 37, Height = 21;
        int most = (1 << depth) - 1, channels = colour switch { 0 => 1, 4 => 2, 2 => 3, _ => 4 };
        int Sample(int x, int y, int c) => (x * 31 + y * 17 + c * 101) * (depth == 16 ? 257 : 1) & most;
        byte[] png = ImageSamples.Png(Width, Height, depth, colour, (x, y) => [.. Enumerable.Range(0, channels).Select(c => Sample(x, y, c))], interlaced);
        RawImage image = ImageFile.Decode(png, "png");
        Assert.Equal((Height, Width, 3), (image.Height, image.Width, image.Channels));
        for (int i = 0; i < Width * Height * 3; i++)
        {
            int value = Sample(i / 3 % Width, i / 3 / Width, channels < 3 ? 0 : i % 3);
            Assert.InRange(image.Pixels.Span[i] - value * 255.0 / most, -1, 1);
        }
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(4)]
    [InlineData(8)]
    public void A_palette_gives_its_colours_whatever_their_transparency(int depth)
    {
        int colours = 1 << depth;
        byte[] palette = Samples.Noise(3 * colours, 5), transparency = [.. Enumerable.Range(0, colours).Select(i => (byte)(i * 3))];
        foreach (byte[]? alpha in new[] { null, transparency })
        {
            byte[] png = ImageSamples.Png(19, 13, depth, 3, (x, y) => [(x + 3 * y) % colours], palette: palette, transparency: alpha);
            ReadOnlySpan<byte> pixels = ImageFile.Decode(png, "palette").Pixels.Span;
            for (int i = 0; i < 19 * 13; i++)
            {
                Assert.Equal(palette.AsSpan((i % 19 + 3 * (i / 19)) % colours * 3, 3).ToArray(), pixels.Slice(3 * i, 3).ToArray());
            }
        }
    }

    [Fact]
    public void A_large_PNG_becomes_the_means_of_its_squares() =>
        Gen.Select(Gen.Int[1, 40], Gen.Int[1, 40], Gen.Int[0, Kinds.Length - 1],
            Gen.Bool, Gen.UInt).Sample((width, height, kind, interlaced, seed) =>
        {
            (int depth, int colour) = Kinds[kind];
            int channels = colour switch { 0 or 3 => 1, 4 => 2, 2 => 3, _ => 4 };
            byte[] noise = Samples.Noise(width * height * channels * 2, seed), palette = Samples.Noise(3 << Math.Min(depth, 8), seed + 1);
            int Sample(int x, int y, int c)
            {
                int at = ((y * width + x) * channels + c) * 2;
                return (noise[at] << 8 | noise[at + 1]) >> (16 - depth);
            }

            byte[] png = ImageSamples.Png(width, height, depth, colour, (x, y) => [.. Enumerable.Range(0, channels).Select(c => Sample(x, y, c))], interlaced, colour == 3 ? palette : null);
            RawImage reduced = LargePng.Read(new MemoryStream(png), "large");
            Assert.Equal(((height + 1) / 2, (width + 1) / 2), (reduced.Height, reduced.Width));
            for (int i = 0; i < reduced.Pixels.Length; i++)
            {
                int x0 = i / 3 % reduced.Width * 2, y0 = i / 3 / reduced.Width * 2, sum = 0, count = 0;
                for (int y = y0; y < Math.Min(y0 + 2, height); y++)
                {
                    for (int x = x0; x < Math.Min(x0 + 2, width); x++, count++)
                    {
                        int value = Sample(x, y, channels < 3 ? 0 : i % 3);
                        sum += colour == 3 ? palette[3 * value + i % 3] : depth == 16 ? value >> 8 : value * 255 / ((1 << depth) - 1);
                    }
                }

                Assert.Equal((sum + count / 2) / count, reduced.Pixels.Span[i]);
            }
        }, iter: 300);

    [Fact]
    public void A_large_PNG_that_is_cut_short_or_damaged_is_told()
    {
        byte[] png = ImageSamples.Png(300, 200, 8, 2, (x, y) => [x & 255, y, x * y & 255]);
        for (int length = 10; length < png.Length - 40; length += 1013)
        {
            Refused.Says(() => LargePng.Read(new MemoryStream(png[..length]), "large"), "large", "PNG image");
        }
    }

    [Theory]
    [InlineData(1, false)]
    [InlineData(8, false)]
    [InlineData(24, false)]
    [InlineData(24, true)]
    [InlineData(32, true)]
    public void A_BMP_has_its_values(int bits, bool topDown)
    {
        byte[] Colour(int x, int y) => bits switch
        {
            1 => [(byte)((x + y) % 3 == 0 ? 255 : 0)],
            8 => [(byte)(x * 7 + y)],
            _ => [(byte)(x * 7), (byte)(y * 11), (byte)(x * y)],
        };
        RawImage image = ImageFile.Decode(ImageSamples.Bmp(29, 17, bits, Colour, topDown), "bmp");
        Assert.Equal((17, 29), (image.Height, image.Width));
        for (int i = 0; i < 29 * 17 * 3; i++)
        {
            byte[] colour = Colour(i / 3 % 29, i / 3 / 29);
            Assert.Equal(colour[colour.Length == 1 ? 0 : i % 3], image.Pixels.Span[i]);
        }
    }

    [Fact]
    public void Of_a_GIF_and_an_animated_WebP_the_first_frame_is_read()
    {
        byte[] gif = ImageSamples.Gif(
            64, 32, ImageSamples.Quarters, (x, y) => 2 * (y >= 16 ? 1 : 0) + (x >= 32 ? 1 : 0), (_, _) => 0);
        Assert.Equal("RGBW", ImageSamples.Read(ImageFile.Decode(gif, "gif")));
        byte[] white = Samples.ImageFile(64, 32, SKEncodedImageFormat.Webp, SKColors.White);
        byte[] animated = ImageSamples.AnimatedWebP(64, 32, ImageSamples.Encoded(SKEncodedImageFormat.Webp), white);
        Assert.Equal("RGBW", ImageSamples.Read(ImageFile.Decode(animated, "animation")));
        byte[] lossless = ImageSamples.Encoded(SKEncodedImageFormat.Webp, quality: 100);
        Assert.Equal("RGBW", ImageSamples.Read(ImageFile.Decode(lossless, "lossless")));
        Assert.Equal("RGBW", ImageSamples.Read(ImageFile.Decode(ImageSamples.Ico(ImageSamples.Encoded(SKEncodedImageFormat.Png), 64), "icon")));
    }

    [Theory]
    [InlineData("photo.png", SKEncodedImageFormat.Jpeg)]
    [InlineData("PHOTO.JPG", SKEncodedImageFormat.Webp)]
    [InlineData("photo", SKEncodedImageFormat.Png)]
    [InlineData("-föto [1]*.jfif", SKEncodedImageFormat.Jpeg)]
    public void The_content_decides_not_the_name(string name, SKEncodedImageFormat format) =>
        Assert.Equal("RGBW", ImageSamples.Read(ImageFile.Read(folder.Write(name, ImageSamples.Encoded(format)))));

    [Fact]
    public void What_is_no_image_is_told_with_what_it_is()
    {
        void Says(byte[] file, string part) => Refused.Says(() => ImageFile.Decode(file, "it"), "it is ", part);
        Says([], "empty");
        Says("hello, this is a note"u8.ToArray(), "it is text");
        Says("<!DOCTYPE html><html>"u8.ToArray(), "web page");
        Says("<svg xmlns=''>"u8.ToArray(), "SVG");
        Says("version https://git-lfs.github.com/spec/v1"u8.ToArray(), "git lfs pull");
        Says([0, 0, 0, 24, .. "ftypheic\0\0\0\0"u8], "HEIC");
        Says([0, 0, 0, 24, .. "ftypavif\0\0\0\0"u8], "AVIF");
        Says([0, 0, 0, 24, .. "ftypisom\0\0\0\0"u8], "video");
        Says([(byte)'I', (byte)'I', 42, 0, 8, 0, 0, 0], "TIFF");
        Says("%PDF-1.4"u8.ToArray(), "PDF");
        Says(new byte[500], "zeros");
        Says([.. "RIFF"u8, 4, 0, 0, 0, .. "WEBP"u8], "no whole WebP file");
        Says(ImageSamples.Bmp(50, 50, 24, (_, _) => [1, 2, 3])[..3000], "BMP image that is cut short");
    }

    [Fact]
    public void An_image_of_more_pixels_than_are_read_takes_no_memory()
    {
        byte[] bomb = ImageSamples.Bmp(10, 10, 24, (_, _) => [1, 2, 3]);
        System.Buffers.Binary.BinaryPrimitives.WriteInt32LittleEndian(bomb.AsSpan(18), 30_000);
        System.Buffers.Binary.BinaryPrimitives.WriteInt32LittleEndian(bomb.AsSpan(22), 30_000);
        Refused.Says(() => ImageFile.Decode(bomb, "bomb"), "bomb");
        byte[] gif = ImageSamples.Gif(10, 10, ImageSamples.Quarters, (_, _) => 0);
        (gif[6], gif[7], gif[8], gif[9]) = (0xFF, 0xFF, 0xFF, 0xFF);
        Refused.Says(() => ImageFile.Decode(gif, "bomb"), "bomb", "65535x65535");
    }

    [Fact]
    public void A_file_that_may_not_be_read_is_told()
    {
        Assert.SkipWhen(Environment.IsPrivilegedProcess, "A privileged process may read everything.");
        if (OperatingSystem.IsWindows())
        {
            return;
        }

        string path = folder.Write("a.png", ImageSamples.Encoded(SKEncodedImageFormat.Png));
        File.SetUnixFileMode(path, UnixFileMode.None);
        Refused.Says(() => ImageFile.Read(path), path, "may not be read");
    }
}
