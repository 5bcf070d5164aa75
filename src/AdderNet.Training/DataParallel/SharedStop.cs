using AdderNet.Distributed;

namespace AdderNet.Training.DataParallel;

/// <summary>
/// A user's wish to stop, which reaches each process at another moment: all processes stop after the same batch, so that none waits for one
/// that has gone.
/// </summary>
internal sealed class SharedStop : IDisposable
{
    private readonly CancellationTokenSource? agreed;
    private readonly CancellationToken asked;

    /// <param name="ranks">The processes.</param>
    /// <param name="asked">This process's user.</param>
    public SharedStop(Communicator ranks, CancellationToken asked)
    {
        this.asked = asked;
        agreed = ranks.Size > 1 ? new CancellationTokenSource() : null;
    }

    /// <summary>Cancelled when all processes stop.</summary>
    public CancellationToken Token => agreed?.Token ?? asked;

    /// <summary>Whether this process was asked to.</summary>
    public bool IsAsked => asked.IsCancellationRequested;

    /// <summary>All processes know that one of them was asked to.</summary>
    public void Agree() => agreed?.Cancel();

    public void Dispose() => agreed?.Dispose();
}
