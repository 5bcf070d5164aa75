using System.Reflection;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Loader;

namespace AdderNet;

/// <summary>
/// Lets TorchSharp load on Linux systems whose C++ library is a little older than the one TorchSharp was built with
/// (Debian 12, Ubuntu 22.04). Nothing to call: the package registers it in the program that uses it.
/// </summary>
/// <remarks>
/// libLibTorchSharp.so asks for symbol version GLIBCXX_3.4.32 only for a symbol that nothing calls. Where the system has
/// no such version the loader refuses the whole library. Then, and only then, a copy whose request is marked weak is written to the
/// user's cache folder and loaded instead. The package folder is never touched.
/// </remarks>
public static class TorchLoader
{
    private const string LibraryName = "LibTorchSharp";
    private const string FileName = "libLibTorchSharp.so";
    private static int registered;

    /// <summary>Stands ready to load the patched copy should TorchSharp's own library be refused. Calling it twice does nothing.</summary>
    // A library's module initialiser is the one place that runs before any of its users' calls reach TorchSharp through it.
#pragma warning disable CA2255
    [ModuleInitializer]
#pragma warning restore CA2255
    public static void Register()
    {
        if (OperatingSystem.IsLinux() && Interlocked.Exchange(ref registered, 1) == 0)
        {
            AssemblyLoadContext.Default.ResolvingUnmanagedDll += Resolve;
        }
    }

    private static nint Resolve(Assembly assembly, string name)
    {
        if (name != LibraryName)
        {
            return 0;
        }

        string? original = SearchFolders(assembly).Select(d => Path.Combine(d, FileName)).FirstOrDefault(File.Exists);
        if (original is null || GlibcxxVersion.MakeWeak(File.ReadAllBytes(original)) is not { } patched)
        {
            return 0;
        }

        // The copy lies in another folder, where its own run path finds none of these.
        string folder = Path.GetDirectoryName(original)!;
        foreach (string needed in (string[])["libc10.so", "libtorch_cpu.so", "libtorch.so"])
        {
            NativeLibrary.TryLoad(FindNeeded(assembly, folder, needed), out _);
        }

        string copy = WriteToCache(patched);
        return NativeLibrary.TryLoad(copy, out nint handle)
            ? handle
            : throw new DllNotFoundException(
                $"TorchSharp's native library asks for GLIBCXX_3.4.32, which this system's libstdc++ lacks, and the adapted copy {copy} " +
                "does not load either; install a newer libstdc++6 (GCC 13) or run on Debian 12, Ubuntu 22.04 or later.");
    }

    private static string FindNeeded(Assembly assembly, string folder, string file) =>
        SearchFolders(assembly).Prepend(folder).Select(d => Path.Combine(d, file)).FirstOrDefault(File.Exists) ?? file;

    private static IEnumerable<string> SearchFolders(Assembly assembly)
    {
        string[] listed = (AppContext.GetData("NATIVE_DLL_SEARCH_DIRECTORIES") as string ?? "")
            .Split(Path.PathSeparator, StringSplitOptions.RemoveEmptyEntries);
        string[] roots = [.. listed, AppContext.BaseDirectory, Path.GetDirectoryName(assembly.Location) ?? ""];
        return roots.SelectMany(r => new[] { r, Path.Combine(r, "runtimes", RuntimeInformation.RuntimeIdentifier, "native") });
    }

    /// <summary>Writes the library under the user's cache folder, or, where that can't be written, under a fresh temporary one.</summary>
    private static string WriteToCache(byte[] library)
    {
        try
        {
            return Write(Directory.CreateDirectory(Path.Combine(UserCache.Folder, "native")), library);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return Write(Directory.CreateTempSubdirectory("addernet-"), library);
        }
    }

    private static string Write(DirectoryInfo folder, byte[] library)
    {
        string path = Path.Combine(folder.FullName, FileName);
        if (File.Exists(path) && File.ReadAllBytes(path).AsSpan().SequenceEqual(library))
        {
            return path;
        }

        // Several programs may start at once: each writes its own file, and the rename makes one of them the copy.
        string temporary = Path.Combine(folder.FullName, Path.GetRandomFileName());
        try
        {
            File.WriteAllBytes(temporary, library);
            File.Move(temporary, path, overwrite: true);
        }
        catch
        {
            File.Delete(temporary);
            throw;
        }

        return path;
    }
}
