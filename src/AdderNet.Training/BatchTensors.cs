using System.Runtime.InteropServices;
using AdderNet.Data;
using static TorchSharp.torch;

namespace AdderNet.Training;

/// <summary>A loader's batch as tensors.</summary>
internal static class BatchTensors
{
    /// <summary>The images as [N, C, H, W] in the batch's own memory, channels last; the batch must outlive the tensor.</summary>
    public static Tensor ImageTensor(this Batch batch)
    {
        if (!MemoryMarshal.TryGetArray<float>(batch.Images, out ArraySegment<float> memory))
        {
            throw new InvalidOperationException("A batch's images are not an array.");
        }

        Tensor flat = frombuffer(memory.Array!, ScalarType.Float32, memory.Count, memory.Offset);
        // With one channel both layouts are the same memory, and libtorch goes on in the one that the strides name. The few channels
        // that follow make its channels-last BatchNorm ten times slower than the other one.
        return batch.Channels == 1
            ? flat.view(batch.Count, 1, batch.Height, batch.Width)
            : flat.view(batch.Count, batch.Height, batch.Width, batch.Channels).permute(0, 3, 1, 2);
    }

    /// <summary>
    /// Ends what a batch has left to finalizers. autograd's small companions of each operation lie between the large freed blocks and
    /// keep the allocator from joining them: without this, memory grows for dozens of batches, to several times what one needs.
    /// </summary>
    public static void ReleaseLeftovers() => GC.Collect(0, GCCollectionMode.Forced, blocking: true);

    /// <summary>The labels as [N].</summary>
    public static Tensor LabelTensor(this Batch batch) => frombuffer(batch.Labels, ScalarType.Int64, batch.Count, 0);
}
