using System.Text;
using AdderNet.Checkpoints;

namespace AdderNet.Data;

/// <summary>
/// CIFAR as torchvision downloads it: Python pickles of a dictionary with an array [N, 3072] of bytes and a list of labels, written by
/// Python 2 or 3. They are read as data, and nothing in them is run.
/// </summary>
internal static class CifarPickle
{
    private const int ImageLength = 3072;

    /// <summary>The colour planes of the images, and their labels.</summary>
    /// <param name="file">The pickle.</param>
    /// <param name="name">What messages call it.</param>
    /// <param name="labels">The key of the labels: labels, or fine_labels.</param>
    /// <exception cref="DataException">It is no such pickle.</exception>
    public static (byte[] Planes, long[] Labels) Read(Stream file, string name, string labels)
    {
        object? read;
        try
        {
            read = new PickleMachine(file, name, new MemoryBudget(name, file.Length)) { TextOfPython2 = Encoding.Latin1 }.Load();
        }
        catch (CheckpointException e)
        {
            throw Wrong(name, e);
        }

        if (read is not PickledObject { Type: PickledObject.Dict } dictionary
            || Value(dictionary, "data") is not PickledObject { IsNumPyArray: true } array
            || array.State is not object?[] state || state is not [_, object?[] shape, PickledObject { Type: "numpy.dtype", Arguments: ["u1" or "|u1" or "uint8", ..] }, false, var content]
            || shape is not [long count, (long)ImageLength]
            || Bytes(content) is not { } planes || planes.Length != count * ImageLength
            || Value(dictionary, labels) is not List<object?> list || list.Count != count || !list.TrueForAll(label => label is long))
        {
            throw Wrong(name, null);
        }

        return (planes, [.. list.Select(label => (long)label!)]);
    }

    private static object? Value(PickledObject dictionary, string key) =>
        dictionary.Entries.LastOrDefault(entry => Bytes(entry.Key) is { } bytes && Encoding.Latin1.GetString(bytes) == key).Value;

    // Bytes as they are, as text of a character for each, or, as Python 3 writes them for Python 2, as a call that encodes such text.
    private static byte[]? Bytes(object? value) => value switch
    {
        byte[] bytes => bytes,
        string text => !text.AsSpan().ContainsAnyExceptInRange('\0', '\xFF') ? Encoding.Latin1.GetBytes(text) : null,
        PickledObject { Type: "_codecs.encode", Arguments: [string text, "latin1"] } => Bytes(text),
        _ => null,
    };

    private static DataException Wrong(string name, Exception? inner) =>
        new($"{name} is not CIFAR's Python version: a pickle of images and labels; get it again.", inner!);
}
