using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace AdderNet.Kernels.Bytes;

/// <summary>A layer made ready for one choice of vectors: its tiling and its lists.</summary>
internal sealed unsafe class ByteProgram
{
    // Tasks a thread, so that the last one to end keeps the others waiting for a short time only, and filters that are worth a patch.
    private const int TasksPerThread = 3, MinFilters = 8;

    private readonly AdderShape shape;
    private readonly ByteTiling tiling;
    private readonly ByteTapLists lists;
    private readonly RowClass[] rows;
    private readonly int bits;
    private readonly bool anySpills;
    private HashSet<int> images = [];

    public ByteProgram(AdderShape shape, ReadOnlySpan<byte> codes, int bits, ByteChoice choice)
    {
        (this.shape, this.bits, Choice) = (shape, bits, choice);
        tiling = new ByteTiling(shape, choice.Lanes, choice.Images, choice.Strips, choice.Apart);
        lists = new ByteTapLists(shape, codes, bits, tiling);
        rows = GC.AllocateArray<RowClass>(tiling.Classes.Length, pinned: true);
        tiling.Classes.CopyTo(rows, 0);
        anySpills = lists.FilterSpills.Contains((byte)1);
    }

    public ByteChoice Choice { get; }

    /// <summary>Whether this is what <see cref="ByteChoice.Select"/> gives for so many images, as far as was asked before.</summary>
    public bool Serves(int count) => images.Contains(count);

    /// <summary>Remembers an answer of <see cref="ByteChoice.Select"/>. One caller at a time.</summary>
    public void AddImages(int count) => images = [.. images, count];

    /// <summary>Runs a call whose input, output and N are set.</summary>
    public void Run(ByteJob* job, KernelWorkspace? workspace)
    {
        (job->C, job->O, job->Groups, job->KernelW) = (shape.C, shape.O, shape.Groups, shape.KernelW);
        (job->StrideH, job->StrideW, job->DilationW, job->PaddingH, job->PaddingW) =
            (shape.StrideH, shape.StrideW, shape.DilationW, shape.PaddingH, shape.PaddingW);
        (job->Images, job->Strips, job->StripWidth, job->RowWidth) = (tiling.Images, tiling.Strips, tiling.StripWidth, tiling.RowWidth);
        (job->OutH, job->OutW, job->Vectors, job->Tiles, job->TileRows) = (tiling.OutH, tiling.OutW, tiling.Vectors, tiling.Tiles, tiling.TileRows);
        (job->Classes, job->ColumnLength, job->ChannelLength) = (rows.Length, tiling.ColumnLength, tiling.ChannelLength);
        (job->Chunks, job->ChunkChannels, job->AnySpills) = (lists.Chunks, lists.ChunkChannels, anySpills);
        (job->Large, job->Small) = ByteTapLists.GroupSizes(bits);
        job->Apart = tiling.Apart;
        job->Rows = Address(rows);
        job->Taps = Address(lists.Taps);
        job->Pieces = Address(lists.Pieces);
        job->ListStarts = Address(lists.ListStarts);
        job->FilterSpills = Address(lists.FilterSpills);
        int tiles = job->SuperImages * job->Tiles, most = shape.Groups > 1 ? shape.Groups : Math.Max(1, shape.O / MinFilters);
        int threads = workspace?.Threads ?? KernelThreads.Count;
        job->Parts = threads == 1 ? 1 : Math.Clamp((TasksPerThread * threads - 1) / tiles + 1, 1, most);
        switch (Choice.Lanes)
        {
            case 64: ByteForward<ByteSimd512, Vector512<byte>>.Start(job, workspace); break;
            case 32: ByteForward<ByteSimd256, Vector256<byte>>.Start(job, workspace); break;
            default: ByteForward<ByteSimd128, Vector128<byte>>.Start(job, workspace); break;
        }

        GC.KeepAlive(this);
    }

    private static T* Address<T>(T[] pinned)
        where T : unmanaged => (T*)Marshal.UnsafeAddrOfPinnedArrayElement(pinned, 0);
}
