using System.Buffers.Binary;
using System.Text;

namespace AdderNet.Data.Tests;

/// <summary>Copies of damaged files whose checksums are made right again, so that the damage gets past the first check.</summary>
internal static class Checksums
{
    public static byte[] RepairTar(byte[] damaged)
    {
        byte[] tar = [.. damaged];
        for (int at = 0; at + 512 <= tar.Length; at += 512)
        {
            Span<byte> header = tar.AsSpan(at, 512);
            if (header.Slice(257, 5).SequenceEqual("ustar"u8))
            {
                header.Slice(148, 8).Fill((byte)' ');
                int sum = 0;
                foreach (byte value in header)
                {
                    sum += value;
                }

                Encoding.ASCII.GetBytes(Convert.ToString(sum, 8).PadLeft(6, '0') + "\0").CopyTo(header[148..]);
            }
        }

        return tar;
    }

    public static byte[] RepairPng(byte[] damaged)
    {
        byte[] png = [.. damaged];
        RepairChunks(png);
        return png;
    }

    private static void RepairChunks(byte[] png)
    {
        long at = 8;
        while (at + 12 <= png.Length)
        {
            long length = BinaryPrimitives.ReadUInt32BigEndian(png.AsSpan((int)at));
            if (at + 12 + length > png.Length)
            {
                return;
            }

            uint crc = Crc32(png.AsSpan((int)at + 4, (int)length + 4));
            BinaryPrimitives.WriteUInt32BigEndian(png.AsSpan((int)(at + 8 + length)), crc);
            at += 12 + length;
        }
    }

    private static uint Crc32(ReadOnlySpan<byte> data)
    {
        uint crc = uint.MaxValue;
        foreach (byte value in data)
        {
            crc ^= value;
            for (int bit = 0; bit < 8; bit++)
            {
                crc = (crc >> 1) ^ (0xEDB88320 & (0 - (crc & 1)));
            }
        }

        return ~crc;
    }
}
