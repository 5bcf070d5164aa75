using System.Buffers.Binary;
using System.Text;

namespace AdderNet.Data;

/// <summary>What a file is by its first bytes; a name's ending says nothing, for people rename files.</summary>
internal enum ImageFormat
{
    Jpeg,
    Png,
    WebP,
    Bmp,
    Gif,
    Ico,
}

internal static class ImageFormats
{
    /// <summary>Bytes that <see cref="Of"/> looks at.</summary>
    public const int HeaderLength = 64;

    /// <summary>What messages say is read.</summary>
    public const string Listed = "JPEG, PNG, WebP, BMP, GIF or ICO";

    /// <summary>How the names of image files end.</summary>
    public static IReadOnlyList<string> Endings { get; } = [".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".bmp", ".dib", ".gif", ".ico"];

    /// <summary>Whether the file's name ends as that of an image that is read.</summary>
    public static bool IsImageName(string path) => Endings.Contains(Path.GetExtension(path), StringComparer.OrdinalIgnoreCase);

    /// <summary>What messages call a format.</summary>
    public static string Title(this ImageFormat format) => format switch
    {
        ImageFormat.WebP => "WebP",
        _ => format.ToString().ToUpperInvariant(),
    };

    /// <summary>The format of a file that starts with these bytes.</summary>
    /// <exception cref="DataException">It is none that is read; the message says what it looks like.</exception>
    public static ImageFormat Of(ReadOnlySpan<byte> start, string name)
    {
        if (start.IsEmpty)
        {
            throw new DataException($"{name} is empty; get it again, or remove it.");
        }

        ImageFormat? format =
            start.StartsWith<byte>([0xFF, 0xD8, 0xFF]) ? ImageFormat.Jpeg
            : start.StartsWith<byte>([0x89, (byte)'P', (byte)'N', (byte)'G', 0x0D, 0x0A, 0x1A, 0x0A]) ? ImageFormat.Png
            : IsRiff(start, "WEBP"u8) ? ImageFormat.WebP
            : start.StartsWith("BM"u8) && start.Length > 14 && start[14] is 12 or 40 or 52 or 56 or 64 or 108 or 124 ? ImageFormat.Bmp
            : start.StartsWith("GIF87a"u8) || start.StartsWith("GIF89a"u8) ? ImageFormat.Gif
            : start.StartsWith<byte>([0, 0, 1, 0]) ? ImageFormat.Ico
            : null;
        return format ?? throw new DataException($"{name} is not an image that is read ({Listed}): {Guess(start)}");
    }

    /// <summary>Refuses a file that ends with its format's signature: a placeholder, as some tools leave behind, rather than a damaged image.</summary>
    /// <remarks>JPEG and PNG are what downloads are cut to, whatever is left of them: there a short file is a damaged one.</remarks>
    /// <exception cref="DataException">No image follows.</exception>
    public static void RefuseHollow(this ImageFormat format, ReadOnlySpan<byte> file, string name)
    {
        bool hollow = format switch
        {
            // RIFF's own size counts what follows it: "WEBP", then at least one chunk with a header of 8 bytes.
            ImageFormat.WebP => file.Length <= 20 || BinaryPrimitives.ReadUInt32LittleEndian(file[4..]) < 12,
            // The smallest headers, without a pixel.
            ImageFormat.Bmp => file.Length <= 26,
            ImageFormat.Gif => file.Length <= 14,
            ImageFormat.Ico => file.Length <= 22 || BinaryPrimitives.ReadUInt16LittleEndian(file[4..]) == 0,
            _ => false,
        };
        if (hollow)
        {
            throw new DataException($"{name} is no whole {format.Title()} file: it begins as one, but holds no image; get it again, or remove it.") { HoldsNoImage = true };
        }
    }

    private static bool IsRiff(ReadOnlySpan<byte> start, ReadOnlySpan<byte> kind) =>
        start.Length >= 12 && start.StartsWith("RIFF"u8) && start.Slice(8, 4).SequenceEqual(kind);

    private static string Guess(ReadOnlySpan<byte> start)
    {
        const string Convert = "; save it as JPEG or PNG first.";
        if (start.Length >= 12 && start.Slice(4, 4).SequenceEqual("ftyp"u8))
        {
            string brand = Encoding.ASCII.GetString(start.Slice(8, 4));
            return brand is "avif" or "avis" ? "it is AVIF" + Convert
                : brand is "heic" or "heix" or "mif1" or "msf1" or "hevc" ? "it is HEIC, as phones save it" + Convert
                : "it is a video; take an image out of it first.";
        }

        if (start.StartsWith<byte>([(byte)'I', (byte)'I', 42, 0]) || start.StartsWith<byte>([(byte)'M', (byte)'M', 0, 42]))
        {
            return "it is TIFF or a camera's raw file" + Convert;
        }

        if (start.StartsWith<byte>([0xFF, 0x0A]) || start.StartsWith<byte>([0, 0, 0, 12, (byte)'J', (byte)'X', (byte)'L']))
        {
            return "it is JPEG XL" + Convert;
        }

        if (start.StartsWith("%PDF"u8) || start.StartsWith("8BPS"u8))
        {
            return "it is a PDF or Photoshop document" + Convert;
        }

        if (start.StartsWith("version https://git-lfs"u8))
        {
            return "it is a Git LFS pointer; run 'git lfs pull' where it came from.";
        }

        ReadOnlySpan<byte> text = start.TrimStart(" \t\r\n\xEF\xBB\xBF"u8);
        return text.StartsWith("<svg"u8) || text.StartsWith("<?xml"u8) ? "it is SVG or other XML" + Convert
            : text.StartsWith("<"u8) ? "it is a web page; download the image itself."
            : start.IndexOfAnyInRange<byte>(0, 8) < 0 && start.IndexOfAnyInRange<byte>(14, 31) < 0 ? "it is text; give an image."
            : !start.ContainsAnyExcept((byte)0) ? "it holds only zeros, as an interrupted copy does; get it again."
            : "its first bytes belong to no format that is known here; give an image.";
    }
}
