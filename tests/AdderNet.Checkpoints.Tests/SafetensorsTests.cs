using System.Buffers.Binary;
using System.Text;
using CsCheck;

namespace AdderNet.Checkpoints.Tests;

public class SafetensorsTests
{
    private static readonly Gen<TensorData> GenTensor =
        from dtype in Gen.Enum<TensorDtype>()
        from shape in Gen.Long[0, 4].Array[0, 4]
        from data in Gen.Byte.Array[(int)TensorDtypes.ElementCount(shape) * dtype.Size()]
        select new TensorData(dtype, shape, data);

    private static readonly Gen<(string, TensorData)[]> GenTensors = Gen.Select(Gen.String, GenTensor).Array[0, 6];

    [Fact]
    public void What_is_written_reads_back_the_same_in_the_same_order() => GenTensors.Sample(
        pairs =>
        {
            OrderedDictionary<string, TensorData> tensors = [];
            foreach ((string name, TensorData tensor) in pairs) tensors[Valid(name)] = tensor;
            Dictionary<string, string> metadata = new() { ["epoch"] = "3", ["Üß\n\"x\""] = "ok" };
            using MemoryStream stream = new();
            Safetensors.Write(stream, tensors, metadata);
            stream.Position = 0;
            TensorFile read = Safetensors.Read(stream);
            TestFiles.AssertSame(tensors, read.Tensors);
            Assert.Equal(metadata, read.Metadata);
        },
        iter: 500);

    [Fact]
    public void Tensors_of_other_programs_read_as_their_numbers()
    {
        TensorFile file = Safetensors.Read(TestFiles.Path("resnet20_mnist_logits.safetensors"));
        Assert.Equal(["input", "logits", "label"], file.Tensors.Keys);
        Assert.Equal("F32 [32, 1, 32, 32]", file.Tensors["input"].ToString());
        float[] logits = file.Tensors["logits"].ToFloats(), labels = file.Tensors["label"].ToFloats();
        int right = logits.Chunk(10).Zip(labels).Count(image => Array.IndexOf(image.First, image.First.Max()) == (int)image.Second);
        Assert.InRange(right, 30, 32);
    }

    [Fact]
    public void The_header_and_every_tensor_lie_aligned()
    {
        using MemoryStream stream = new();
        Safetensors.Write(stream, [
            new("flag", new(TensorDtype.Bool, [3], new byte[3])), new("half", new(TensorDtype.F16, [1], new byte[2])),
            new("count", new(TensorDtype.I64, [], new byte[8])), new("weight", TensorData.FromFloats([1, 2, 3], 3))]);
        byte[] bytes = stream.ToArray();
        long header = BinaryPrimitives.ReadInt64LittleEndian(bytes);
        Assert.Equal(0, header % 8);
        Assert.Equal(
            """
            {"flag":{"dtype":"BOOL","shape":[3],"data_offsets":[22,25]},"half":{"dtype":"F16","shape":[1],"data_offsets":[20,22]},
            "count":{"dtype":"I64","shape":[],"data_offsets":[0,8]},"weight":{"dtype":"F32","shape":[3],"data_offsets":[8,20]}}
            """.ReplaceLineEndings(""),
            Encoding.UTF8.GetString(bytes, 8, (int)header).TrimEnd(' '));
    }

    [Theory]
    [InlineData("""{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}""", 8, null)]
    [InlineData("{}", 0, null)]
    [InlineData("""{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}""", 9, "9 are there")]
    [InlineData("""{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}""", 7, "7 are there")]
    [InlineData("""{"a":{"dtype":"F32","shape":[2],"data_offsets":[1,9]}}""", 9, "does not begin")]
    [InlineData("""{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,4]}}""", 4, "cannot lie")]
    [InlineData("""{"a":{"dtype":"F32","shape":[2],"data_offsets":[8,0]}}""", 8, "cannot lie")]
    [InlineData("""{"a":{"dtype":"F32","shape":[-2],"data_offsets":[0,8]}}""", 8, "cannot lie")]
    [InlineData("""{"a":{"dtype":"F32","shape":[4294967296,4294967296,4294967296],"data_offsets":[0,0]}}""", 0, "cannot lie")]
    [InlineData("""{"a":{"dtype":"F32","shape":[9223372036854775807],"data_offsets":[0,-4]}}""", 0, "cannot lie")]
    [InlineData("""{"a":{"dtype":"F32","shape":[4611686018427387904],"data_offsets":[0,0]}}""", 0, "cannot lie")]
    [InlineData("""{"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},"b":{"dtype":"U8","shape":[2],"data_offsets":[1,3]}}""", 3, "does not")]
    [InlineData("""{"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},"a":{"dtype":"U8","shape":[2],"data_offsets":[2,4]}}""", 4, "twice")]
    [InlineData("""{"a":{"dtype":"F8_E4M3","shape":[2],"data_offsets":[0,2]}}""", 2, null)]
    [InlineData("""{"a":{"dtype":"F8_E4M3","shape":[2],"data_offsets":[2,0]}}""", 2, "cannot lie")]
    [InlineData("""{"a":{"dtype":"F32","shape":[2]}}""", 8, "needs a dtype")]
    [InlineData("""{"a":{"dtype":"F32","dtype":"F32","shape":[2],"data_offsets":[0,8]}}""", 8, "second or unknown")]
    [InlineData("""{"a":{"dtype":"F32","shape":[2.5],"data_offsets":[0,8]}}""", 8, "JSON")]
    [InlineData("""{"a":{"dtype":"F32","shape":[1e2],"data_offsets":[0,8]}}""", 8, "JSON")]
    [InlineData("""{"a":[]}""", 8, "JSON")]
    [InlineData("""{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}""", 8, "JSON")]
    [InlineData("""{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}x""", 8, "JSON")]
    [InlineData("""{"\ud800":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}""", 8, "JSON")]
    [InlineData("""{"__metadata__":{"a":1}}""", 0, "JSON")]
    [InlineData("[]", 0, "JSON")]
    [InlineData("", 0, "JSON")]
    public void A_header_is_taken_only_if_every_part_of_it_is_right(string header, int dataLength, string? refusal)
    {
        byte[] text = Encoding.UTF8.GetBytes(header);
        byte[] file = [.. BitConverter.GetBytes((long)text.Length), .. text, .. new byte[dataLength]];
        if (refusal is null)
            Safetensors.Read(new MemoryStream(file));
        else
            AssertRefused(file, refusal);
    }

    [Theory]
    [InlineData(long.MaxValue, "beyond the end")]
    [InlineData(-1, "beyond the end")]
    public void A_header_of_impossible_length_is_refused(long length, string refusal)
    {
        byte[] file = new byte[10 << 20];
        BinaryPrimitives.WriteInt64LittleEndian(file, length);
        AssertRefused(file, refusal);
    }

    [Fact]
    public void Tensors_of_unknown_types_are_named_and_the_rest_is_read()
    {
        byte[] header = Encoding.UTF8.GetBytes(
            """{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"größe":{"dtype":"F8_E4M3","shape":[2],"data_offsets":[4,6]},"b":{"dtype":"U8","shape":[],"data_offsets":[6,7]}}""");
        TensorFile file = Safetensors.Read(
            new MemoryStream([.. BitConverter.GetBytes((long)header.Length), .. header, .. BitConverter.GetBytes(2.5f), 1, 2, 7]), "x.safetensors");
        Assert.Equal(["a", "b"], file.Tensors.Keys);
        Assert.Equal([2.5f], file.Tensors["a"].ToFloats());
        Assert.Equal([7], file.Tensors["b"].ToFloats());
        Assert.Equal("a tensor of type F8_E4M3", file.Unread["größe"]);
        Assert.Equal("x.safetensors also holds a tensor of type F8_E4M3, which is not supported and was not read: 'größe'.", Assert.Single(file.Notes));
    }

    [Fact]
    public void A_tensor_under_two_names_is_written_twice()
    {
        TensorData tied = TensorData.FromFloats([1, 2], 2);
        using MemoryStream stream = new();
        Safetensors.Write(stream, [new("a", tied), new("b", tied)]);
        stream.Position = 0;
        Assert.Equal([1, 2], Safetensors.Read(stream).Tensors["b"].ToFloats());
    }

    private static void AssertRefused(byte[] file, string refusal)
    {
        CheckpointException e = Assert.Throws<CheckpointException>(() => Safetensors.Read(new MemoryStream(file), "bad.safetensors"));
        Assert.Contains(refusal, e.Message, StringComparison.Ordinal);
        Assert.Contains("bad.safetensors", e.Message, StringComparison.Ordinal);
    }

    // Lone surrogates are no text and become the replacement character on their way into any file.
    private static string Valid(string text) => Encoding.UTF8.GetString(Encoding.UTF8.GetBytes(text));
}
