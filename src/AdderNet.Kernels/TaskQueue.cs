using System.Runtime.ExceptionServices;

namespace AdderNet.Kernels;

/// <summary>The numbered tasks of one call, handed out one by one to whichever thread asks next.</summary>
internal sealed unsafe class TaskQueue
{
    private delegate*<void*, int, void> body;
    private void* context;
    private int tasks;
    private int next;
    private ExceptionDispatchInfo? failure;

    /// <summary>Puts in <paramref name="count"/> tasks; nobody may be working.</summary>
    public void Fill(int count, delegate*<void*, int, void> task, void* argument)
    {
        body = task;
        context = argument;
        (tasks, next, failure) = (count, 0, null);
    }

    /// <summary>Does tasks until none is left. An exception ends the call for all threads.</summary>
    public void Work()
    {
        try
        {
            int i;
            while ((i = Interlocked.Increment(ref next) - 1) < tasks)
            {
                body(context, i);
            }
        }
        catch (Exception e)
        {
            Interlocked.CompareExchange(ref failure, ExceptionDispatchInfo.Capture(e), null);
            Volatile.Write(ref next, int.MaxValue / 2);
        }
    }

    /// <summary>Throws the first exception of a task, if there was one.</summary>
    public void ThrowIfFailed()
    {
        ExceptionDispatchInfo? thrown = failure;
        failure = null;
        thrown?.Throw();
    }
}
