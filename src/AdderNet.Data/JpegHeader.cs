using System.Buffers.Binary;

namespace AdderNet.Data;

/// <summary>What the markers before a JPEG's first pixels tell (ITU-T T.81, annex B).</summary>
/// <param name="IsWhole">Whether a decoder has to hold all coefficients until the last scan: a progressive image, or one with a scan for each colour.</param>
/// <param name="CoefficientBytes">Memory for all of the coefficients.</param>
/// <param name="ScanStart">Where the coded pixels begin.</param>
/// <param name="Pixels">Rows times columns.</param>
/// <param name="IsCommon">Whether it is coded as nearly all are: by Huffman codes, baseline, extended or progressive.</param>
internal sealed record JpegHeader(bool IsWhole, long CoefficientBytes, long ScanStart, long Pixels, bool IsCommon)
{
    /// <summary>Whether the end marker is among coded pixels, where its two bytes can stand for nothing else.</summary>
    public static bool HasEnd(ReadOnlySpan<byte> coded) => coded.LastIndexOf<byte>([0xFF, 0xD9]) >= 0;

    /// <summary>Reads the markers up to the first scan; null where they are damaged.</summary>
    public static JpegHeader? Read(Stream file)
    {
        Span<byte> head = stackalloc byte[4];
        // A frame header of four components has 18 bytes, a scan header fewer.
        Span<byte> content = stackalloc byte[18];
        (byte process, int components, long pixels, long coefficients) = (0, 0, 0, 0);
        for (long at = 2; ;)
        {
            file.Position = at;
            if (file.ReadAtLeast(head, 4, throwOnEndOfStream: false) < 4 || head[0] != 0xFF)
            {
                return null;
            }

            byte marker = head[1];
            int length = BinaryPrimitives.ReadUInt16BigEndian(head[2..]);
            if (marker == 0xFF)
            {
                // Any number of these may stand before a marker.
                at++;
                continue;
            }

            bool frame = marker is >= 0xC0 and <= 0xCF and not (0xC4 or 0xC8 or 0xCC);
            if (frame || marker == 0xDA)
            {
                int read = file.ReadAtLeast(content, Math.Min(content.Length, Math.Max(0, length - 2)), throwOnEndOfStream: false);
                if (read < 6)
                {
                    return null;
                }

                if (marker == 0xDA)
                {
                    return new JpegHeader(process is not (0xC0 or 0xC1) || content[0] < components, coefficients, at + 2 + length, pixels, process is 0xC0 or 0xC1 or 0xC2);
                }

                process = marker;
                components = content[5];
                if (components is < 1 or > 4 || read < 6 + 3 * components)
                {
                    return null;
                }

                pixels = (long)BinaryPrimitives.ReadUInt16BigEndian(content[1..]) * BinaryPrimitives.ReadUInt16BigEndian(content[3..]);
                int most = 1, sum = 0;
                for (int i = 0; i < components; i++)
                {
                    int area = (content[7 + 3 * i] >> 4) * (content[7 + 3 * i] & 15);
                    (most, sum) = (Math.Max(most, area), sum + area);
                }

                coefficients = pixels * sizeof(short) * sum / most;
            }

            at += 2 + length;
        }
    }
}
