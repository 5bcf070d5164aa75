using System.Runtime.InteropServices;
using AdderNet.Inference.Steps;
using AdderNet.Kernels;

namespace AdderNet.Inference;

/// <summary>The memory in which some images pass through the network, and the threads that help with a layer. One call uses it at a time.</summary>
internal sealed unsafe class Frame : IDisposable
{
    private readonly Plan plan;
    private byte* memory;
    private float* input;
    private int capacity;
    private float[] extra = [];

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

    /// <summary>Memory for what a step needs beside its output, valid until the next step.</summary>
    public Span<float> Extra(int length)
    {
        if (extra.Length < length)
        {
            extra = GC.AllocateUninitializedArray<float>(length);
        }

        return extra.AsSpan(0, length);
    }

    public void Dispose()
    {
        Workspace.Dispose();
        Free();
    }

    private void Free()
    {
        NativeMemory.AlignedFree(memory);
        memory = null;
        capacity = 0;
    }
}
