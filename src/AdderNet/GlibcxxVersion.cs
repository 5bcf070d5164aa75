using System.Buffers.Binary;
using System.Text;

namespace AdderNet;

/// <summary>Edits the symbol-version requests (.gnu.version_r) of a 64-bit little-endian ELF library.</summary>
internal static class GlibcxxVersion
{
    private const string Version = "GLIBCXX_3.4.32";
    private const uint SectionTypeVerneed = 0x6ffffffe;
    private const ushort FlagWeak = 0x2;

    /// <summary>
    /// The same library with its request for GLIBCXX_3.4.32 marked weak, which makes the dynamic loader accept a C++ library
    /// without it; null where the file is no such library or has no such request.
    /// </summary>
    public static byte[]? MakeWeak(byte[] elf)
    {
        try
        {
            return Patch((byte[])elf.Clone());
        }
        catch (ArgumentOutOfRangeException)
        {
            return null; // Offsets that point outside: not a library this can edit.
        }
    }

    private static byte[]? Patch(byte[] elf)
    {
        if (!elf.AsSpan(0, 6).SequenceEqual("\u007fELF\u0002\u0001"u8))
        {
            return null;
        }

        long sections = I64(elf, 0x28);
        int sectionSize = U16(elf, 0x3A), sectionCount = U16(elf, 0x3C);
        bool found = false;
        for (int i = 0; i < sectionCount; i++)
        {
            long section = sections + (long)i * sectionSize;
            if (U32(elf, section + 4) == SectionTypeVerneed)
            {
                long strings = I64(elf, sections + U32(elf, section + 0x28) * (long)sectionSize + 0x18);
                found |= PatchNeeds(elf, I64(elf, section + 0x18), U32(elf, section + 0x2C), strings);
            }
        }

        return found ? elf : null;
    }

    /// <summary>Walks Elf64_Verneed records (one a library) and their Elf64_Vernaux entries (one a version).</summary>
    private static bool PatchNeeds(byte[] elf, long need, uint count, long strings)
    {
        bool found = false;
        for (uint i = 0; i < count; i++, need += U32(elf, need + 12))
        {
            long entry = need + U32(elf, need + 8);
            for (int k = U16(elf, need + 2); k > 0; k--, entry += U32(elf, entry + 12))
            {
                if (NameIs(elf, strings + U32(elf, entry + 8)))
                {
                    BinaryPrimitives.WriteUInt16LittleEndian(At(elf, entry + 4, 2), (ushort)(U16(elf, entry + 4) | FlagWeak));
                    found = true;
                }
            }
        }

        return found;
    }

    private static bool NameIs(byte[] elf, long offset) =>
        At(elf, offset, Version.Length + 1).SequenceEqual(Encoding.ASCII.GetBytes(Version + '\0'));

    private static Span<byte> At(byte[] elf, long offset, int length) => elf.AsSpan(checked((int)Math.Min(offset, int.MaxValue)), length);

    private static ushort U16(byte[] elf, long offset) => BinaryPrimitives.ReadUInt16LittleEndian(At(elf, offset, 2));

    private static uint U32(byte[] elf, long offset) => BinaryPrimitives.ReadUInt32LittleEndian(At(elf, offset, 4));

    private static long I64(byte[] elf, long offset) => BinaryPrimitives.ReadInt64LittleEndian(At(elf, offset, 8));
}
