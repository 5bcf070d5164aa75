using System.Runtime.InteropServices;
using AdderNet.Inference.Steps;
using AdderNet.Kernels;
using AdderNet.Kernels.Bytes;

namespace AdderNet.Inference;

/// <summary>The memory in which some images pass through the network, and the threads that help with a layer. One call uses it at a time.</summary>
internal sealed unsafe class Frame : IDisposable
{
    private readonly Plan plan;
    private byte* memory;
    private float* input;
    private int capacity;
    private float[] extra = [];
    private int[] integers = [], codes = [];

    public Frame(Plan plan, int threads)
    {
        this.plan = plan;
        Workspace = new KernelWorkspace(threads);
    }

    /// <summary>Threads and scratch of the kernels.</summary>
    public KernelWorkspace Workspace { get; }

    /// <summary>Images in flight.</summary>
    public int Images { get; private set; }

    /// <summary>Passes images through all steps.</summary>
    /// <param name="from">Images [n, C, H, W].</param>
    /// <param name="images">n.</param>
    /// <param name="to">[n, outputs].</param>
    public void Run(float* from, int images, float* to)
    {
        if (images > capacity)
        {
            Free();
            memory = (byte*)NativeMemory.AlignedAlloc(checked((nuint)(plan.FrameLength * images)), 64);
            capacity = images;
        }

        input = from;
        Images = images;
        Workspace.BeginCalls();
        try
        {
            foreach (Step step in plan.Steps)
            {
                step.Run(this);
            }
        }
        finally
        {
            Workspace.EndCalls();
        }

        foreach (Value output in plan.Outputs)
        {
            ReadOnlySpan<float> values = Of(output);
            int length = output.Shape.Count;
            for (int i = 0; i < images; i++)
            {
                values.Slice(i * length, length).CopyTo(new Span<float>(to + (long)i * plan.OutputLength, length));
            }

            to += length;
        }
    }

    /// <summary>The images in flight of a value, [n, C, H, W].</summary>
    public Span<float> Of(Value value) => value.Number == plan.Input.Number
        ? new Span<float>(input, Images * value.Shape.Count)
        : new Span<float>(memory + plan.Offsets[value.Number] * capacity, Images * value.Shape.Count);

    /// <summary>The images in flight of a value in bytes.</summary>
    public BytePlanes Planes(Value value) => new(
        new Span<byte>(memory + plan.Offsets[value.Number] * capacity, checked((int)value.Layout.Length(Images))), Images, value.Layout);

    /// <summary>The same to be written: what was there before may have been another value, so that the border has to be made 0 again.</summary>
    public BytePlanes Cleared(Value value)
    {
        BytePlanes planes = Planes(value);
        if (value.Border > 0)
        {
            planes.Memory.Clear();
        }

        return planes;
    }

    /// <summary>The codes of a value one by one, [n, C, H, W]; those in bytes are copied, valid until the next call.</summary>
    public ReadOnlySpan<int> Codes(Value value)
    {
        int length = Images * value.Shape.Count;
        if (!value.IsBytes)
        {
            return MemoryMarshal.Cast<float, int>(Of(value));
        }

        Span<int> to = Room(ref codes, length);
        BytePlanes planes = Planes(value);
        for (int row = 0, at = 0; at < length; row++)
        {
            foreach (byte code in value.Row(planes, row))
            {
                to[at++] = code;
            }
        }

        return to;
    }

    /// <summary>Writes the codes of a value, [n, C, H, W].</summary>
    public void Store(Value value, ReadOnlySpan<int> from)
    {
        if (!value.IsBytes)
        {
            from.CopyTo(MemoryMarshal.Cast<float, int>(Of(value)));
            return;
        }

        BytePlanes planes = Cleared(value);
        for (int row = 0, at = 0; at < from.Length; row++)
        {
            Span<byte> to = value.Row(planes, row);
            for (int i = 0; i < to.Length; i++)
            {
                to[i] = (byte)from[at++];
            }
        }
    }

    /// <summary>Memory for integers that a step needs beside its output, valid until the next step.</summary>
    public Span<int> Integers(int length) => Room(ref integers, length);

    /// <summary>Memory for what a step needs beside its output, valid until the next step.</summary>
    public Span<float> Extra(int length) => Room(ref extra, length);

    public void Dispose()
    {
        Workspace.Dispose();
        Free();
    }

    private static Span<T> Room<T>(ref T[] room, int length)
    {
        if (room.Length < length)
        {
            room = GC.AllocateUninitializedArray<T>(length);
        }

        return room.AsSpan(0, length);
    }

    private void Free()
    {
        NativeMemory.AlignedFree(memory);
        memory = null;
        capacity = 0;
    }
}
