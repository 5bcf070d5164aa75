using static TorchSharp.torch;

namespace AdderNet;

/// <summary>What an autograd function's backward hands to libtorch, whose native frames stand between it and whoever called backward.</summary>
internal static class BackwardCall
{
    /// <summary>
    /// The gradients of the latest backward call on this thread. TorchSharp hands autograd bare handles to them, so they must
    /// outlive that call; by the next one autograd holds references of its own.
    /// </summary>
    [ThreadStatic]
    private static List<Tensor>? handedOver;

    [ThreadStatic]
    private static Exception? failure;

    /// <summary>What the latest backward call on this thread failed with; null where it did not.</summary>
    public static Exception? Failure => failure;

    /// <summary>Works out gradients, with none recorded of them.</summary>
    /// <param name="inputs">How many inputs the function has.</param>
    /// <param name="needed">Any input that needs its gradient.</param>
    /// <param name="gradients">Gives a gradient or null for each input; what else it makes is disposed.</param>
    public static List<Tensor> Run(int inputs, int needed, Func<Tensor?[]> gradients)
    {
        handedOver?.ForEach(t => t?.Dispose());
        (handedOver, failure) = (null, null);
        try
        {
            // The tensors made here would otherwise wait for the end of the user's scope: a whole batch's gradients at once.
            using var scope = NewDisposeScope();
            using var guard = no_grad();
            handedOver = [.. gradients().Select(t => t?.DetachFromDisposeScope()!)];
        }
        catch (Exception e)
        {
            // An exception that crossed the native frames would end the process. A gradient of a shape that cannot be right makes libtorch
            // throw one of its own, on the caller's side of those frames.
            failure = e;
            handedOver = [.. Enumerable.Range(0, inputs).Select(i => i == needed ? empty(0).DetachFromDisposeScope() : null!)];
        }

        return handedOver;
    }
}
