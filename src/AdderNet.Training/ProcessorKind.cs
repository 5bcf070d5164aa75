using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using System.Text;

namespace AdderNet.Training;

/// <summary>What of a processor decides how sums are rounded: whose it is, since libraries choose their code by that, and its vectors.</summary>
internal static class ProcessorKind
{
    /// <summary>This machine's, such as "AuthenticAMD X64 with 256-bit vectors".</summary>
    public static string Current { get; } = string.Join(
        ' ', new[] { Maker(), RuntimeInformation.ProcessArchitecture.ToString(), $"with {VectorBits()}-bit vectors" }.Where(p => p.Length > 0));

    private static int VectorBits() =>
        Avx512F.IsSupported ? 512 : Vector256.IsHardwareAccelerated ? 256 : Vector128.IsHardwareAccelerated ? 128 : 64;

    // CPUID leaf 0 spells the maker in the bytes of EBX, EDX and ECX.
    private static string Maker()
    {
        if (!X86Base.IsSupported)
        {
            return "";
        }

        (_, int b, int c, int d) = X86Base.CpuId(0, 0);
        return Encoding.ASCII.GetString(MemoryMarshal.AsBytes<int>([b, d, c])).TrimEnd('\0');
    }
}
