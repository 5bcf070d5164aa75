using System.Text;
using System.Text.RegularExpressions;
using static AdderNet.Checkpoints.CheckpointText;

namespace AdderNet.Checkpoints;

/// <summary>Tells what a file is that is no checkpoint, and what to do to get one: people download and pass the wrong thing.</summary>
internal static partial class ForeignFile
{
    private const string SaveWeights = "in Python, save the weights with torch.save(model.state_dict(), ...) or as safetensors";

    /// <summary>The sentence for a file that no weights can be read from, at its start.</summary>
    public static CheckpointException Refusal(string file, Stream stream)
    {
        ReadOnlySpan<byte> start = FileKinds.Start(stream, stackalloc byte[FileKinds.StartLength]);
        string text = Encoding.UTF8.GetString(start).TrimStart('\uFEFF', ' ', '\t', '\r', '\n');
        return new(
            stream.Length == 0 ? $"{file} is empty; download or copy it again."
            : text.StartsWith("version https://git-lfs", StringComparison.Ordinal) ? GitLfs(file, text)
            : IsWebPage(text) ? $"{file} is a web page{Title(text)}, not a checkpoint: the link led to a page about the file; open it in a browser and take "
                + "the link to the file itself."
            : FileKinds.Of(start) == FileKind.Onnx
                ? $"{file} is an ONNX or TensorFlow model, not a checkpoint; name the weights that it was made from, as .pth, .pt or .safetensors."
            : Binary(start) is { } kind ? $"{file} is {kind}."
            : text is ['{' or '[', ..] && IsText(start) ? Json(file, text)
            : IsText(start) ? $"{file} is a text file (it begins '{Shown(FirstLine(text))}'), not a checkpoint; no weights can be read from it."
            : $"{file} is neither a PyTorch checkpoint (.pth, .pt) nor a safetensors file, so no weights can be read from it; {SaveWeights}.");
    }

    /// <summary>The sentence for a zip archive that PyTorch did not write.</summary>
    public static CheckpointException Archive(string file, IEnumerable<string> names)
    {
        string[] all = [.. names];
        string? inside = Array.Find(all, name => Path.GetExtension(name).ToUpperInvariant() is ".PTH" or ".PT" or ".SAFETENSORS" or ".TAR" or ".CKPT");
        bool Has(string name) => all.Any(other => other == name || other.EndsWith("/" + name, StringComparison.Ordinal));
        return new(
            inside is not null ? $"{file} is a zip archive with {Shown(inside)} in it; unpack it and name that file."
            : all.Length > 0 && all.All(name => name.EndsWith(".npy", StringComparison.Ordinal))
                ? $"{file} is a file of NumPy arrays (.npz), not a checkpoint; {SaveWeights}."
            : Has("model.weights.h5") ? $"{file} is a Keras model, not a PyTorch checkpoint; only weights of a PyTorch model can be read."
            : Has("model.json") || Has("constants.pkl") ? $"{file} is a TorchScript program, not a checkpoint; in Python, save the weights alone with "
                + "torch.save(torch.jit.load(...).state_dict(), ...)."
            : Has("archive_format") || Has("serialized_exported_program.json")
                ? $"{file} is a program that torch.export saved, not a checkpoint; {SaveWeights}."
            : Array.Exists(all, name => name.Contains(".data/", StringComparison.Ordinal)) ? $"{file} is a package of torch.package, not a checkpoint; {SaveWeights}."
            : $"{file} is a zip archive without data.pkl, so PyTorch did not write it; {SaveWeights}.");
    }

    private static string GitLfs(string file, string text)
    {
        string size = LfsSize().Match(text) is { Success: true } match ? $" of {match.Groups[1].Value} bytes" : "";
        return $"{file} is not the checkpoint but a Git LFS pointer to it, a short text in place of the file{size}; fetch the file with "
            + "'git lfs pull' in its repository, or download it from its web page.";
    }

    private static bool IsWebPage(string text) =>
        ((string[])["<!doctype html", "<html", "<head", "<body", "<?xml", "<!--", "<script", "<Error"])
            .Any(tag => text.StartsWith(tag, StringComparison.OrdinalIgnoreCase));

    private static string Title(string text) =>
        TitleTag().Match(text) is { Success: true } match && Shown(match.Groups[1].Value.Trim()) is { Length: > 0 } title ? $" ('{title}')" : "";

    private static string Json(string file, string text) =>
        text.Contains("\"weight_map\"", StringComparison.Ordinal)
            ? $"{file} is the index of a checkpoint in several files, not one of them; name a file of weights."
            : $"{file} is JSON text (it begins '{Shown(FirstLine(text))}'), not a checkpoint: a server's reply in place of the file, or a file of "
                + "settings; download the weights themselves.";

    private static string? Binary(ReadOnlySpan<byte> start)
    {
        const string notWeights = "not a checkpoint";
        return
            start.StartsWith((ReadOnlySpan<byte>)[0x1f, 0x8b]) ? "compressed with gzip; unpack it with gunzip (or tar -xzf) and name the file in it"
            : start.StartsWith((ReadOnlySpan<byte>)[0xfd, (byte)'7', (byte)'z', (byte)'X', (byte)'Z', 0]) ? "compressed with xz; unpack it with unxz (or tar -xJf) and name the file in it"
            : start.StartsWith("BZh"u8) ? "compressed with bzip2; unpack it with bunzip2 (or tar -xjf) and name the file in it"
            : start.StartsWith((ReadOnlySpan<byte>)[0x28, 0xb5, 0x2f, 0xfd]) ? "compressed with zstd; unpack it with unzstd and name the file in it"
            : start.StartsWith((ReadOnlySpan<byte>)[(byte)'7', (byte)'z', 0xbc, 0xaf]) || start.StartsWith("Rar!"u8)
                ? "a 7z or RAR archive; unpack it and name the file in it"
            : IsTar(start) is { } tar ? tar
            : start.StartsWith((ReadOnlySpan<byte>)[0x89, (byte)'H', (byte)'D', (byte)'F'])
                ? $"an HDF5 file, as Keras saves models, {notWeights}; only weights of a PyTorch model can be read"
            : start.StartsWith((ReadOnlySpan<byte>)[0x93, (byte)'N', (byte)'U', (byte)'M', (byte)'P', (byte)'Y'])
                ? $"a NumPy array (.npy), {notWeights}; {SaveWeights}"
            : start.StartsWith("%PDF"u8) ? $"a PDF document, {notWeights}"
            : start.StartsWith((ReadOnlySpan<byte>)[0x89, (byte)'P', (byte)'N', (byte)'G']) || start.StartsWith((ReadOnlySpan<byte>)[0xff, 0xd8, 0xff])
                || start.StartsWith("GIF8"u8) ? $"an image, {notWeights}; the model's file comes first"
            : start.StartsWith("GGUF"u8) ? $"a GGUF file of a language model, {notWeights} of PyTorch"
            : start.Length > 8 && start[4..].StartsWith("TFL3"u8) ? $"a TensorFlow Lite model, {notWeights}; only weights of a PyTorch model can be read"
            : start.StartsWith((ReadOnlySpan<byte>)[0x7f, (byte)'E', (byte)'L', (byte)'F']) || start.StartsWith("MZ"u8) ? $"a program, {notWeights}"
            : start is [0x80, >= 2 and <= 5, (byte)'c' or (byte)'}' or (byte)']' or (byte)'(' or 0x95 or (byte)'X' or 0x8c, ..]
                ? $"a pickle that torch.save did not write, {notWeights}; in Python, save it again with torch.save(pickle.load(open(..., 'rb')), ...)"
            : null;
    }

    // PyTorch's first format was a tar archive of these members; other people's tar archives hold checkpoints.
    private static string? IsTar(ReadOnlySpan<byte> start)
    {
        if (start.Length < 512 || !(start[257..].StartsWith("ustar"u8) || IsOldTar(start))) return null;
        int end = start.IndexOf((byte)0);
        string member = Encoding.UTF8.GetString(start[..Math.Clamp(end, 0, 100)]);
        return Path.GetFileName(member) is "sys_info" or "pickle" or "storages" or "tensors" or ""
            ? "in PyTorch's first format, a tar archive from before version 0.1.10; in Python, save it again with torch.save(torch.load(...), ...)"
            : $"a tar archive that begins with {Shown(member)}; unpack it with tar -xf and name the file in it";
    }

    // Without a signature there is only the checksum of the first header: the sum of its bytes, its own field counted as spaces.
    private static bool IsOldTar(ReadOnlySpan<byte> start)
    {
        int sum = 0, written = 0;
        for (int i = 0; i < 512; i++) sum += i is >= 148 and < 156 ? ' ' : start[i];
        foreach (byte digit in start[148..156])
            if (digit is >= (byte)'0' and <= (byte)'7') written = written * 8 + digit - '0';
        return sum == written && start[0] != 0;
    }

    private static bool IsText(ReadOnlySpan<byte> start)
    {
        foreach (byte b in start)
            if (b < ' ' && b is not ((byte)'\n' or (byte)'\r' or (byte)'\t' or (byte)'\f')) return false;
        return start.Length > 0;
    }

    private static string FirstLine(string text) => text.Split('\n', 2)[0] is { Length: > 60 } line ? line[..60] : text.Split('\n', 2)[0].TrimEnd();

    [GeneratedRegex("<title[^>]*>([^<]*)", RegexOptions.IgnoreCase)]
    private static partial Regex TitleTag();

    [GeneratedRegex(@"^size (\d{1,18})\b", RegexOptions.Multiline)]
    private static partial Regex LfsSize();
}
