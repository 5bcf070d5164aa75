namespace AdderNet.Cli;

/// <summary>The file that a command writes: looked at before the work that it will hold.</summary>
internal static class OutputFile
{
    /// <summary>Refuses a file that exists, and one in a folder that does not.</summary>
    /// <param name="path">The file.</param>
    /// <param name="force">Whether it may be replaced.</param>
    /// <param name="option">The option that names it.</param>
    /// <exception cref="CliException">It can't be written.</exception>
    public static void Refuse(string path, bool force, string option = "--out")
    {
        if (Path.Exists(path) && !force)
        {
            throw new CliException($"{path} exists; choose another name with {option}, or replace it with --force.");
        }

        if (Path.GetDirectoryName(Path.GetFullPath(path)) is { } place && !Directory.Exists(place))
        {
            throw new CliException($"There is no folder {place} to write {Path.GetFileName(path)} into; make it first.");
        }
    }

    /// <summary>A file beside a file of weights, its name telling what was done to them: best-8bit.safetensors.</summary>
    public static string Beside(string weights, string done) =>
        Path.Combine(Path.GetDirectoryName(weights) ?? "", $"{Path.GetFileNameWithoutExtension(weights)}-{done}.safetensors");
}
