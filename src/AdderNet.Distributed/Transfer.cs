namespace AdderNet.Distributed;

/// <summary>A sum or a message on its way. Its memory must stay where it is until it has been waited for.</summary>
public sealed class Transfer
{
    private readonly Func<nint>? begin;
    private readonly Courier? courier;
    private Exception? failure;

    private Transfer() => IsComplete = true;

    internal Transfer(Courier courier, Func<nint> begin) => (this.courier, this.begin) = (courier, begin);

    /// <summary>One that nobody has to wait for.</summary>
    internal static Transfer Complete { get; } = new();

    /// <summary>Whether it has arrived; without waiting.</summary>
    public bool HasArrived => courier?.HasArrived(this) ?? true;

    /// <summary>The same, for who holds the courier's lock.</summary>
    internal bool IsComplete { get; private set; }

    /// <summary>MPI's request, once it is under way.</summary>
    internal nint Request;

    /// <summary>Returns when it has arrived.</summary>
    /// <exception cref="DistributedException">MPI failed.</exception>
    public void Wait()
    {
        courier?.WaitFor(this);
        if (failure is not null)
        {
            throw new DistributedException(failure.Message, failure);
        }
    }

    internal void Begin() => Request = begin!();

    internal void End(Exception? why = null) => (failure, IsComplete) = (why, true);
}
