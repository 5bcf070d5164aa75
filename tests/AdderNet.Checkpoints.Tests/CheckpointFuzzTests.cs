using System.IO.Compression;

namespace AdderNet.Checkpoints.Tests;

/// <summary>Damaged checkpoints give a <see cref="CheckpointException"/> or valid tensors, within the memory bound.</summary>
public class CheckpointFuzzTests
{
    [Theory]
    [InlineData("torch_training.pth")]
    [InlineData("torch_views.pth")]
    [InlineData("torch_module.pth")]
    [InlineData("legacy_views.pth")]
    public void A_damaged_file_is_read_or_refused(string name) => Fuzz.Check(
        File.ReadAllBytes(TestFiles.Path(name)), bytes => Touch(PyTorchFile.Read(new MemoryStream(bytes))), typeof(CheckpointException));

    // Damage inside a sound archive gets past the checksums to the unpickler itself.
    [Theory]
    [InlineData("torch_training.pth")]
    [InlineData("torch_views.pth")]
    [InlineData("torch_dtypes.pth")]
    [InlineData("training_p4.pth")]
    public void A_damaged_pickle_in_a_sound_archive_is_read_or_refused(string name)
    {
        using ZipArchive zip = ZipFile.OpenRead(TestFiles.Path(name));
        (string, byte[])[] storages = [.. zip.Entries.Where(entry => entry.FullName.Contains("/data/", StringComparison.Ordinal))
            .Select(entry => ($"archive/data/{entry.Name}", PyTorchFileTests.Bytes(zip, "/data/" + entry.Name)))];
        Fuzz.Check(
            PyTorchFileTests.Bytes(zip, "data.pkl"),
            pickle => Touch(PyTorchFile.Read(TestFiles.PyTorchZip(pickle, entries: storages))),
            typeof(CheckpointException));
    }

    [Fact]
    public void A_damaged_safetensors_file_is_read_or_refused()
    {
        using MemoryStream seed = new();
        Safetensors.Write(seed, PyTorchFile.Read(TestFiles.Path("torch_dtypes.pth")), new Dictionary<string, string> { ["epoch"] = "3" });
        Fuzz.Check(seed.ToArray(), bytes => Touch(Safetensors.Read(new MemoryStream(bytes)).Tensors), typeof(CheckpointException));
    }

    // A wrong offset shows only when the elements are looked at.
    private static void Touch(OrderedDictionary<string, TensorData> tensors)
    {
        foreach (TensorData tensor in tensors.Values) Assert.Equal(tensor.Count, tensor.ToFloats().Length);
    }
}
