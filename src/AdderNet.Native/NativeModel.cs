using System.Collections.Concurrent;
using System.Runtime.InteropServices;
using AdderNet.Inference;

namespace AdderNet.Native;

/// <summary>What a handle in C stands for. Handles are numbers, not addresses, so that one that is no longer valid is found out.</summary>
internal sealed unsafe class NativeModel
{
    private static readonly ConcurrentDictionary<nint, NativeModel> Known = [];
    private static long last;
    private readonly nint[] classNames;

    private NativeModel(Engine engine)
    {
        Engine = engine;
        classNames = [.. (engine.Graph.Metadata.ClassNames ?? []).Select(Marshal.StringToCoTaskMemUTF8)];
    }

    /// <summary>The network.</summary>
    public Engine Engine { get; }

    /// <summary>Names that its file has.</summary>
    public int ClassCount => classNames.Length;

    /// <summary>Loads a file.</summary>
    /// <returns>The handle.</returns>
    public static nint Load(string path, int? threads)
    {
        NativeModel model = new(Engine.Load(path, threads));
        nint handle = (nint)Interlocked.Increment(ref last);
        Known[handle] = model;
        return handle;
    }

    /// <summary>The model of a handle.</summary>
    /// <exception cref="ArgumentException">There is none.</exception>
    public static NativeModel Of(nint handle) => Known.TryGetValue(handle, out NativeModel? model)
        ? model
        : throw new ArgumentException(
            handle == 0 ? "The model is NULL; see why addernet_load failed." : "There is no such model, or it was freed.");

    /// <summary>Frees the model of a handle; of 0 there is none.</summary>
    public static void Free(nint handle)
    {
        if (handle != 0)
        {
            NativeModel model = Of(handle);
            if (Known.TryRemove(handle, out _))
            {
                model.Engine.Dispose();
                foreach (nint name in model.classNames)
                {
                    Marshal.FreeCoTaskMem(name);
                }
            }
        }
    }

    /// <summary>The name of a class, UTF-8 that ends with 0.</summary>
    /// <exception cref="ArgumentException">There is none of that index.</exception>
    public byte* ClassName(int index) => (uint)index < (uint)classNames.Length
        ? (byte*)classNames[index]
        : throw new ArgumentException($"There is no name of class {index}; the model has {classNames.Length}.");
}
