using System.Runtime.InteropServices;
using AdderNet.Checkpoints;
using AdderNet.Graph;
using AdderNet.Inference;
using AdderNet.Kernels;

namespace AdderNet.Native;

/// <summary>
/// The functions of addernet.h, which says what they do. An exception that left one of them would end the process, so none does.
/// </summary>
internal static unsafe class Exports
{
    private const int AbiVersion = 1;

    [ThreadStatic]
    private static nint lastError;

    [UnmanagedCallersOnly(EntryPoint = "addernet_abi_version")]
    public static int GetAbiVersion() => AbiVersion;

    [UnmanagedCallersOnly(EntryPoint = "addernet_vector_width")]
    public static int GetVectorWidth()
    {
        try
        {
            return (int)VectorWidths.Best;
        }
        catch (Exception e)
        {
            return Fail(e);
        }
    }

    [UnmanagedCallersOnly(EntryPoint = "addernet_load")]
    public static nint Load(byte* path, int threads)
    {
        try
        {
            string name = Marshal.PtrToStringUTF8((nint)path) ?? throw new ArgumentException("The path is NULL.");
            return threads >= 0
                ? NativeModel.Load(name, threads == 0 ? null : threads)
                : throw new ArgumentException($"threads is {threads}; give how many, or 0 for one a processor.");
        }
        catch (Exception e)
        {
            Fail(e);
            return 0;
        }
    }

    [UnmanagedCallersOnly(EntryPoint = "addernet_input_shape")]
    public static int GetInputShape(nint model, int* shape)
    {
        try
        {
            return Copy(NativeModel.Of(model).Engine.InputShape, shape);
        }
        catch (Exception e)
        {
            return Fail(e);
        }
    }

    [UnmanagedCallersOnly(EntryPoint = "addernet_output_length")]
    public static int GetOutputLength(nint model)
    {
        try
        {
            return NativeModel.Of(model).Engine.OutputLength;
        }
        catch (Exception e)
        {
            return Fail(e);
        }
    }

    [UnmanagedCallersOnly(EntryPoint = "addernet_output_shape")]
    public static int GetOutputShape(nint model, int* shape)
    {
        try
        {
            return Copy(NativeModel.Of(model).Engine.OutputShape, shape);
        }
        catch (Exception e)
        {
            return Fail(e);
        }
    }

    [UnmanagedCallersOnly(EntryPoint = "addernet_class_count")]
    public static int GetClassCount(nint model)
    {
        try
        {
            return NativeModel.Of(model).ClassCount;
        }
        catch (Exception e)
        {
            return Fail(e);
        }
    }

    [UnmanagedCallersOnly(EntryPoint = "addernet_class_name")]
    public static byte* GetClassName(nint model, int index)
    {
        try
        {
            return NativeModel.Of(model).ClassName(index);
        }
        catch (Exception e)
        {
            Fail(e);
            return null;
        }
    }

    [UnmanagedCallersOnly(EntryPoint = "addernet_normalization")]
    public static int GetNormalization(nint model, float* mean, float* std)
    {
        try
        {
            Engine engine = NativeModel.Of(model).Engine;
            InputPreparation preparation = engine.Graph.Metadata.Preparation
                ?? throw new ArgumentException("The model's file does not say how images are normalized.");
            NotNull(mean, nameof(mean));
            NotNull(std, nameof(std));
            for (int c = 0; c < engine.InputShape.Channels; c++)
            {
                // One value stands for all channels.
                mean[c] = preparation.Mean[preparation.Mean.Count == 1 ? 0 : c];
                std[c] = preparation.Std[preparation.Std.Count == 1 ? 0 : c];
            }

            return 0;
        }
        catch (Exception e)
        {
            return Fail(e);
        }
    }

    [UnmanagedCallersOnly(EntryPoint = "addernet_run")]
    public static int Run(nint model, float* input, int images, float* output)
    {
        try
        {
            Engine engine = NativeModel.Of(model).Engine;
            NotNull(input, nameof(input));
            NotNull(output, nameof(output));
            long most = int.MaxValue / Math.Max(engine.InputShape.Count, engine.OutputLength);
            if (images < 1 || images > most)
            {
                throw new ArgumentException($"images is {images}; one call computes 1 to {most} of this size.");
            }

            engine.Run(
                new ReadOnlySpan<float>(input, images * engine.InputShape.Count), new Span<float>(output, images * engine.OutputLength));
            return 0;
        }
        catch (Exception e)
        {
            return Fail(e);
        }
    }

    [UnmanagedCallersOnly(EntryPoint = "addernet_last_error")]
    public static byte* GetLastError() => (byte*)(lastError == 0 ? Empty : lastError);

    [UnmanagedCallersOnly(EntryPoint = "addernet_free")]
    public static void Free(nint model)
    {
        try
        {
            NativeModel.Free(model);
        }
        catch (Exception e)
        {
            Fail(e);
        }
    }

    private static nint Empty { get; } = Marshal.StringToCoTaskMemUTF8("");

    private static int Copy(FeatureShape from, int* shape)
    {
        NotNull(shape, nameof(shape));
        (shape[0], shape[1], shape[2]) = (from.Channels, from.Height, from.Width);
        return 0;
    }

    private static void NotNull(void* pointer, string name)
    {
        if (pointer is null)
        {
            throw new ArgumentException($"{name} is NULL.");
        }
    }

    /// <summary>Keeps the sentence for addernet_last_error.</summary>
    private static int Fail(Exception e)
    {
        try
        {
            string sentence = e switch
            {
                CheckpointException or InferenceException or GraphException or KernelChoiceException or ArgumentException => e.Message,
                ObjectDisposedException => "The model was freed during the call.",
                OutOfMemoryException => "There is not enough memory.",
                _ => $"Unexpected {e.GetType().Name}: {e.Message}",
            };
            nint text = Marshal.StringToCoTaskMemUTF8(sentence);
            Marshal.FreeCoTaskMem(lastError);
            lastError = text;
        }
        catch (OutOfMemoryException)
        {
            // The older sentence has to do.
        }

        return -1;
    }
}
