using System.Buffers.Binary;
using System.Globalization;

namespace AdderNet.Testing;

/// <summary>
/// Feeds a parser with damaged copies of a good file: each must be read as a valid file or refused with one of the
/// expected exceptions and a message of one line, within 64 MB of managed memory over the file's own size.
/// </summary>
internal static class Fuzz
{
    private const long MemoryBound = 64L << 20;

    // Sizes and counts that tend to break arithmetic: 0, -1, extremes and their neighbours.
    private static readonly ulong[] Interesting =
        [0, 1, 0x7F, 0x80, 0xFF, 0x100, 0x7FFF, 0x8000, 0xFFFF, 0x10000, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF,
         0x100000000, 0x7FFFFFFFFFFFFFFF, 0x8000000000000000, 0xFFFFFFFFFFFFFFFF];

    /// <summary>Cases a test runs: 2,000, or what the environment variable ADDERNET_FUZZ_CASES says.</summary>
    public static int Cases { get; } =
        Environment.GetEnvironmentVariable("ADDERNET_FUZZ_CASES") is { Length: > 0 } text
            ? int.Parse(text, CultureInfo.InvariantCulture)
            : 2_000;

    /// <summary>
    /// Damaged copies of <paramref name="seed"/>: bit flips, truncation, garbage at the end, blocks moved, repeated,
    /// removed or zeroed, and length fields of either byte order overwritten; up to four of these on top of each other.
    /// The same arguments give the same cases.
    /// </summary>
    public static IEnumerable<byte[]> Mutations(byte[] seed, int cases, int rngSeed)
    {
        for (int i = 0; i < cases; i++)
        {
            var random = new Random(unchecked(rngSeed * 1_000_003 + i));
            byte[] data = seed;
            for (int steps = random.Next(1, 5); steps > 0; steps--)
            {
                data = Mutate(data, random);
            }

            yield return data;
        }
    }

    /// <summary>Runs <paramref name="parse"/> on the seed, on an empty file and on <see cref="Cases"/> damaged copies.</summary>
    /// <param name="seed">A good file; parsing it must succeed.</param>
    /// <param name="parse">Reads the bytes as the parser under test does.</param>
    /// <param name="expected">Exceptions that a damaged file may cause; any other fails the test.</param>
    public static void Check(byte[] seed, Action<byte[]> parse, params Type[] expected)
    {
        parse(seed);
        int number = -1;
        foreach (byte[] data in Mutations(seed, Cases, rngSeed: 1).Prepend([]))
        {
            Exception? thrown = null;
            long before = GC.GetAllocatedBytesForCurrentThread();
            try
            {
                parse(data);
            }
            catch (Exception e)
            {
                thrown = e;
            }

            long allocated = GC.GetAllocatedBytesForCurrentThread() - before;
            if (thrown is not null && !expected.Any(type => type.IsInstanceOfType(thrown)))
            {
                Assert.Fail($"Case {number} threw {thrown}{Environment.NewLine}The file: {Keep(data)}");
            }

            if (thrown is not null && (thrown.Message.Length == 0 || thrown.Message.AsSpan().ContainsAny('\r', '\n')))
            {
                Assert.Fail($"Case {number}: the message is not one line: {thrown}{Environment.NewLine}The file: {Keep(data)}");
            }

            if (allocated > MemoryBound + data.Length)
            {
                Assert.Fail($"Case {number} allocated {allocated:N0} bytes for a file of {data.Length:N0}.{Environment.NewLine}The file: {Keep(data)}");
            }

            number++;
        }
    }

    private static byte[] Mutate(byte[] data, Random random)
    {
        byte[] copy = [.. data];
        switch (random.Next(8))
        {
            case 0: // flip bits
                for (int n = random.Next(1, 9); n > 0 && copy.Length > 0; n--)
                {
                    copy[Place(copy, random)] ^= (byte)(1 << random.Next(8));
                }

                return copy;
            case 1: // truncate
                return copy[..random.Next(copy.Length + 1)];
            case 2: // append garbage
                byte[] garbage = new byte[random.Next(1, 65)];
                random.NextBytes(garbage);
                return [.. copy, .. garbage];
            case 3: // overwrite a length field
                WriteInteger(copy, random);
                return copy;
            case 4: // repeat a block elsewhere
                Range block = Block(copy, random);
                int at = random.Next(copy.Length + 1);
                return [.. copy[..at], .. copy[block], .. copy[at..]];
            case 5: // remove a block
                Range gone = Block(copy, random);
                return [.. copy[..gone.Start], .. copy[gone.End..]];
            case 6: // overwrite a block with another one
                Range from = Block(copy, random);
                byte[] source = copy[from];
                Span<byte> target = copy.AsSpan(random.Next(copy.Length + 1));
                source.AsSpan(0, Math.Min(source.Length, target.Length)).CopyTo(target);
                return copy;
            default: // fill a block with one value
                copy.AsSpan()[Block(copy, random)].Fill((byte)(random.Next(2) == 0 ? 0 : random.Next(256)));
                return copy;
        }
    }

    // Half of the places lie in the first 128 bytes, where headers are.
    private static int Place(byte[] data, Random random) =>
        random.Next(random.Next(2) == 0 ? data.Length : Math.Min(data.Length, 128));

    private static Range Block(byte[] data, Random random)
    {
        int start = random.Next(data.Length + 1);
        return start..random.Next(start, Math.Min(data.Length, start + 256) + 1);
    }

    private static void WriteInteger(byte[] data, Random random)
    {
        int size = 1 << random.Next(4);
        if (data.Length < size)
        {
            return;
        }

        Span<byte> bytes = stackalloc byte[8];
        BinaryPrimitives.WriteUInt64LittleEndian(bytes, Interesting[random.Next(Interesting.Length)]);
        bytes = bytes[..size];
        if (random.Next(2) == 0)
        {
            bytes.Reverse();
        }

        bytes.CopyTo(data.AsSpan(Math.Min(Place(data, random), data.Length - size)));
    }

    private static string Keep(byte[] data)
    {
        if (data.Length <= 256)
        {
            return Convert.ToHexString(data);
        }

        string path = Path.Combine(Path.GetTempPath(), $"addernet-fuzz-{Guid.NewGuid():N}.bin");
        File.WriteAllBytes(path, data);
        return path;
    }
}
