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
/// no such version the loader refuses the whole library. Then, and only then, a copy whose request is marked weak is loaded instead,
/// from memory where the kernel has files in memory. The package folder is never touched.
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

        return PatchedLibrary.Load(patched, FileName);
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
}
