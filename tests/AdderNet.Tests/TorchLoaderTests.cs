using System.Buffers.Binary;
using System.Text;

namespace AdderNet.Tests;

public class TorchLoaderTests
{
    [Fact]
    public void Request_for_the_missing_version_is_marked_weak_and_nothing_else_changes()
    {
        byte[] library = Library("GLIBCXX_3.4.32");

        byte[] patched = GlibcxxVersion.MakeWeak(library)!;

        Assert.Equal([(0x104, (byte)0, (byte)2)], Differences(library, patched));
    }

    [Fact]
    public void Library_with_other_requests_is_left_alone() => Assert.Null(GlibcxxVersion.MakeWeak(Library("GLIBCXX_3.4.30")));

    [Fact]
    public void What_is_no_library_is_left_alone() => Assert.All(
        [[], "text"u8.ToArray(), Library("GLIBCXX_3.4.32")[..0x90]], bytes => Assert.Null(GlibcxxVersion.MakeWeak(bytes)));

    [Fact]
    public void A_library_loads_from_memory_without_any_file() => WithLibrary((library, _) =>
    {
        Assert.NotEqual(0, PatchedLibrary.Load(library, "libsome.so", [PatchedLibrary.InMemory]));
    });

    [Fact]
    public void Where_one_place_refuses_the_next_is_tried() => WithLibrary((library, folder) =>
    {
        using TinyMount noexec = new(folder["noexec"], "noexec");
        string good = folder["good"];

        Assert.NotEqual(0, PatchedLibrary.Load(library, "libsome.so", [PatchedLibrary.Within(folder["noexec"]), PatchedLibrary.Within(good)]));

        Assert.Equal(library, File.ReadAllBytes(Assert.Single(Directory.GetFiles(good))));
    });

    [Fact]
    public void Where_no_place_is_left_one_sentence_names_each_with_its_reason() => WithLibrary((library, folder) =>
    {
        string file = folder.Write("file", []);

        string message = Assert.Throws<DllNotFoundException>(
            () => PatchedLibrary.Load(library[..100], "libsome.so", [PatchedLibrary.Within(file), PatchedLibrary.Within(folder["cut"])])).Message;

        Assert.DoesNotContain('\n', message);
        Assert.Contains(file, message, StringComparison.Ordinal);
        Assert.Contains(folder["cut"], message, StringComparison.Ordinal);
        Assert.Contains("set ADDERNET_CACHE", message, StringComparison.Ordinal);
    });

    /// <summary>Runs a test with the bytes of a small library that every system with .NET has.</summary>
    private static void WithLibrary(Action<byte[], TempFolder> test)
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "Libraries are patched on Linux only");
        using TempFolder folder = new();
        string runtime = System.Runtime.InteropServices.RuntimeEnvironment.GetRuntimeDirectory();
        test(File.ReadAllBytes(Path.Combine(runtime, "libSystem.IO.Compression.Native.so")), folder);
    }

    private static IEnumerable<(int, byte, byte)> Differences(byte[] a, byte[] b) =>
        a.Zip(b).Index().Where(p => p.Item.First != p.Item.Second).Select(p => (p.Index, p.Item.First, p.Item.Second));

    /// <summary>The smallest ELF file with one version request: header, two sections (strings, verneed), records, strings.</summary>
    private static byte[] Library(string version)
    {
        byte[] elf = new byte[0x200];
        "\u007fELF\u0002\u0001"u8.CopyTo(elf);
        Write(0x28, 0x40L);
        Write(0x3A, (short)0x40);
        Write(0x3C, (short)2);
        Write(0x40 + 0x18, 0x180L);
        const int Needs = 0x80;
        Write(Needs + 4, 0x6ffffffe);
        Write(Needs + 0x18, 0xF0L);
        Write(Needs + 0x28, 0);
        Write(Needs + 0x2C, 1);
        Write(0xF0 + 2, (short)1);
        Write(0xF0 + 8, 0x10);
        Write(0x100 + 8, 5);
        Encoding.ASCII.GetBytes(version).CopyTo(elf, 0x185);
        return elf;

        void Write<T>(int at, T value)
            where T : struct =>
            System.Runtime.InteropServices.MemoryMarshal.Write(elf.AsSpan(at), BitConverter.IsLittleEndian ? value : throw new PlatformNotSupportedException());
    }
}
