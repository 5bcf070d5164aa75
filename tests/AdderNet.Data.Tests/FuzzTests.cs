using System.Buffers.Binary;

namespace AdderNet.Data.Tests;

public class FuzzTests
{
    [Fact]
    public void The_engine_finds_a_parser_that_trusts_a_length_field()
    {
        byte[] seed = [4, 0, 0, 0, 1, 2, 3, 4, 0, 0, 0, 0];
        static void Trusting(byte[] data)
        {
            int length = BinaryPrimitives.ReadInt32LittleEndian(data);
            Assert.Equal(length, data.AsSpan(4, length).ToArray().Length);
        }

        Exception failure = Assert.ThrowsAny<Exception>(() => Fuzz.Check(seed, Trusting, typeof(InvalidDataException)));
        Assert.Contains("Case", failure.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void The_same_seed_gives_the_same_cases()
    {
        byte[] seed = [.. Enumerable.Range(0, 200).Select(i => (byte)i)];
        Assert.Equal(Fuzz.Mutations(seed, 500, 3), Fuzz.Mutations(seed, 500, 3));
        Assert.True(Fuzz.Mutations(seed, 500, 3).Count(data => !data.SequenceEqual(seed)) > 480);
    }
}
