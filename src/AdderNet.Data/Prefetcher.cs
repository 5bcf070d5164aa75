using System.Diagnostics.CodeAnalysis;
using System.Runtime.ExceptionServices;

namespace AdderNet.Data;

/// <summary>
/// Prepares the batches of one epoch on background threads, which take chunks in order and wait where they would be too far ahead.
/// </summary>
/// <param name="count">Batches in the epoch.</param>
/// <param name="ahead">Batches that may be ready or in preparation ahead of the one in use.</param>
/// <param name="create">Makes the batch of a number, not filled yet; called on one thread at a time, in order.</param>
/// <param name="fill">Fills a batch from an item to another, with the calling thread's own scratch memory.</param>
internal sealed class Prefetcher(int count, int ahead, Func<int, Batch> create, Action<Batch, int, int, ItemTransform.Scratch> fill)
{
    // The smallest share of a batch that a thread takes: a quarter of a millisecond of CIFAR images.
    private const int ChunkLength = 32;

    private readonly object gate = new();
    private readonly Slot?[] slots = new Slot?[ahead];
    private int taken, nextBatch, nextItem;
    private bool stopped;
    private ExceptionDispatchInfo? failure;

    /// <summary>The batches in order, once. It ends its threads however the enumeration ends.</summary>
    public IEnumerable<Batch> Run(int threads, CancellationToken cancellation)
    {
        using CancellationTokenRegistration wake = cancellation.Register(Stop);
        var workers = new Thread[threads];
        try
        {
            for (int i = 0; i < threads; i++)
            {
                workers[i] = new Thread(Work) { IsBackground = true, Name = "AdderNet loader" };
                workers[i].Start();
            }

            for (int i = 0; i < count; i++)
            {
                yield return Take(i, cancellation);
            }
        }
        finally
        {
            // Also where the consumer leaves early: nobody keeps waiting for it, and nothing is still being written.
            Stop();
            foreach (Thread worker in workers)
            {
                worker?.Join();
            }

            foreach (Slot? slot in slots)
            {
                slot?.Batch.Dispose();
            }
        }
    }

    private Batch Take(int number, CancellationToken cancellation)
    {
        cancellation.ThrowIfCancellationRequested();
        lock (gate)
        {
            ref Slot? slot = ref slots[number % slots.Length];
            while (slot is not { Left: 0 })
            {
                failure?.Throw();
                if (stopped)
                {
                    cancellation.ThrowIfCancellationRequested();
                    throw new OperationCanceledException("The loader was stopped.");
                }

                Monitor.Wait(gate);
            }

            Slot ready = slot;
            ready.Error?.Throw();
            slot = null;
            taken++;
            Monitor.PulseAll(gate);
            return ready.Batch;
        }
    }

    private void Stop()
    {
        lock (gate)
        {
            stopped = true;
            Monitor.PulseAll(gate);
        }
    }

    // Any failure belongs to whoever asks for the batch; an exception that left a thread of ours would end the process.
    private void Work()
    {
        try
        {
            FillBatches();
        }
        catch (Exception e)
        {
            lock (gate)
            {
                failure ??= ExceptionDispatchInfo.Capture(e);
                Monitor.PulseAll(gate);
            }
        }
    }

    private void FillBatches()
    {
        var scratch = new ItemTransform.Scratch();
        while (Next(out Slot? slot, out int start, out int end))
        {
            ExceptionDispatchInfo? error = null;
            try
            {
                fill(slot.Batch, start, end, scratch);
            }
            catch (Exception e)
            {
                // One image's failure is its batch's: those before it are still handed out.
                error = ExceptionDispatchInfo.Capture(e);
            }

            lock (gate)
            {
                // Of several failures in a batch the first image's is told, whichever thread was faster.
                if (error is not null && start < slot.ErrorAt)
                {
                    (slot.Error, slot.ErrorAt) = (error, start);
                }

                slot.Left -= end - start;
                if (slot.Left == 0)
                {
                    Monitor.PulseAll(gate);
                }
            }
        }
    }

    private bool Next([NotNullWhen(true)] out Slot? slot, out int start, out int end)
    {
        lock (gate)
        {
            while (!stopped && nextBatch < count && nextBatch >= taken + slots.Length)
            {
                Monitor.Wait(gate);
            }

            if (stopped || nextBatch >= count)
            {
                (slot, start, end) = (null, 0, 0);
                return false;
            }

            slot = slots[nextBatch % slots.Length] ??= new Slot(create(nextBatch));
            start = nextItem;
            end = nextItem = Math.Min(start + ChunkLength, slot.Batch.Count);
            if (end == slot.Batch.Count)
            {
                nextBatch++;
                nextItem = 0;
            }

            return true;
        }
    }

    private sealed class Slot(Batch batch)
    {
        public Batch Batch { get; } = batch;

        public int Left { get; set; } = batch.Count;

        public ExceptionDispatchInfo? Error { get; set; }

        public int ErrorAt { get; set; } = int.MaxValue;
    }
}
