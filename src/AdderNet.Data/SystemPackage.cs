namespace AdderNet.Data;

/// <summary>A Debian package that installs a data set's official files.</summary>
/// <param name="Name">The package's name.</param>
/// <param name="Folder">Where it puts the files.</param>
internal sealed record SystemPackage(string Name, string Folder);
