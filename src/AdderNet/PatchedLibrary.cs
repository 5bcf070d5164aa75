using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace AdderNet;

/// <summary>
/// Loads a native library that exists only as bytes. The system's loader wants a file that may be executed, and a cache folder can be
/// unwritable, or lie on a file system that is mounted noexec. So, in this order: a file in memory (memfd), which needs no folder; else a
/// file in the cache folder, beside the program, or in a new temporary folder.
/// </summary>
internal static partial class PatchedLibrary
{
    private const uint CloseOnExec = 1, Executable = 0x10;

    /// <summary>Loads the library from the first place that lets it be loaded.</summary>
    /// <param name="library">Its bytes.</param>
    /// <param name="fileName">Its name.</param>
    /// <returns>The library's handle, which stays open.</returns>
    /// <exception cref="DllNotFoundException">No place did; the message names each with its reason.</exception>
    public static nint Load(byte[] library, string fileName) => Load(library, fileName,
    [
        InMemory,
        Within(Path.Combine(UserCache.Folder, "native")),
        Within(AppContext.BaseDirectory),
        (bytes, name) => WriteTo(Directory.CreateTempSubdirectory("addernet-").FullName, bytes, name),
    ]);

    /// <summary>The same, over given places: each writes the library and returns its path.</summary>
    internal static nint Load(byte[] library, string fileName, IEnumerable<Func<byte[], string, string>> places)
    {
        List<string> reasons = [];
        foreach (Func<byte[], string, string> place in places)
        {
            try
            {
                return NativeLibrary.Load(place(library, fileName));
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException or DllNotFoundException or EntryPointNotFoundException or ArgumentException)
            {
                reasons.Add(e.Message.ReplaceLineEndings(" ").Trim().TrimEnd('.'));
            }
        }

        throw new DllNotFoundException(
            $"{fileName} has to be adapted to this system's libstdc++, and the adapted copy can't be loaded from anywhere ({string.Join("; ", reasons)}); " +
            "set ADDERNET_CACHE to a folder that may be written to and on whose file system programs may run, or install libstdc++6 of GCC 13 or later.");
    }

    /// <summary>A place that is a folder, made where there is none.</summary>
    internal static Func<byte[], string, string> Within(string folder) => (library, name) => WriteTo(Directory.CreateDirectory(folder).FullName, library, name);

    private static string WriteTo(string folder, byte[] library, string fileName)
    {
        string path = Path.Combine(folder, fileName + ".adapted");
        if (File.Exists(path) && File.ReadAllBytes(path).AsSpan().SequenceEqual(library))
        {
            return path;
        }

        // Several programs may start at once: each writes its own file, and the rename makes one of them the copy.
        string temporary = Path.Combine(folder, Path.GetRandomFileName());
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

    /// <summary>The file lives as long as its descriptor, which is never closed: the loader knows libraries by path, and this one must stay the only one of its.</summary>
    internal static string InMemory(byte[] library, string fileName)
    {
        // Kernels before 6.3 know no flag for files that may be executed, for all may.
        int descriptor = MemoryFile(fileName, CloseOnExec | Executable);
        descriptor = descriptor < 0 ? MemoryFile(fileName, CloseOnExec) : descriptor;
        if (descriptor < 0)
        {
            throw new IOException($"memfd_create: {Marshal.GetLastPInvokeErrorMessage()}");
        }

        using SafeFileHandle handle = new(descriptor, ownsHandle: false);
        RandomAccess.Write(handle, library, fileOffset: 0);
        return $"/proc/self/fd/{descriptor}";
    }

    [LibraryImport("libc", EntryPoint = "memfd_create", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int MemoryFile(string name, uint flags);
}
