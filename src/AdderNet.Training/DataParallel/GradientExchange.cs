using System.Diagnostics;
using AdderNet.Distributed;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace AdderNet.Training.DataParallel;

/// <summary>
/// Sums the gradients of all processes in a few large buckets. The first holds the last layers, whose gradients backward gives first, and is
/// sent while backward still runs.
/// </summary>
internal sealed unsafe class GradientExchange : IDisposable
{
    // Large enough that bandwidth counts and not latency, small enough that the last one does not keep everybody waiting for long.
    private const long LargestBucket = 25 << 20, SmallestBucket = 64 << 10;
    private const int FewestBuckets = 4;

    private readonly Communicator ranks;
    private readonly Parameter[] parameters;
    private readonly Tensor[] slots;
    private readonly List<Bucket> buckets = [];
    private readonly List<Action> removers = [];
    private readonly List<Transfer> underWay = [];
    private readonly double[] news;
    private Exception? inBackward;
    private bool isFirstPiece, isLastPiece;
    private int sent;
    private long firstSent;

    /// <summary>A bucket's memory, and its parameters: those of the places from First to End - 1.</summary>
    private sealed record Bucket(Tensor Memory, int First, int End);

    /// <param name="task">Whose modules are trained.</param>
    /// <param name="trained">The parameters that are, in the modules' order.</param>
    /// <param name="ranks">The processes.</param>
    public GradientExchange(ITrainingTask task, IEnumerable<Parameter> trained, Communicator ranks)
    {
        this.ranks = ranks;
        parameters = [.. trained.Reverse()];
        slots = new Tensor[parameters.Length];
        // What all learn beside the gradients: who failed, who was told to stop, and which parameters have a gradient at all.
        news = new double[ranks.Size + 1 + parameters.Length];
        MakeBuckets(task);
        Begin();
    }

    /// <summary>Bytes of gradients that a step sums up.</summary>
    public long Bytes => buckets.Sum(b => b.Memory.numel() * sizeof(float));

    /// <summary>How many buckets there are.</summary>
    public int BucketCount => buckets.Count;

    /// <summary>How many steps' gradients all processes have summed up, those included in which one failed.</summary>
    public int Steps { get; private set; }

    /// <summary>How long backward passes still ran after the first bucket had been sent.</summary>
    public TimeSpan Ahead { get; private set; }

    /// <summary>How long this process has waited for sums after its own backward was over.</summary>
    public TimeSpan Waited { get; private set; }

    /// <summary>Announces the batch's last piece: gradients are sent as they become complete.</summary>
    public void LastPiece() => isLastPiece = true;

    /// <summary>Puts the gradients of a piece into the buckets and takes them from the parameters.</summary>
    public void Take()
    {
        for (int i = 0; i < parameters.Length; i++)
        {
            Take(i);
        }

        isFirstPiece = false;
    }

    /// <summary>
    /// Sums up what is left, and gives every parameter the gradient of all processes. Where one failed, all of them throw; a process whose own
    /// step failed calls this, too.
    /// </summary>
    /// <param name="failure">What this process failed with; null for nothing.</param>
    /// <param name="stop">Whether this process was told to stop.</param>
    /// <returns>Whether any was.</returns>
    /// <exception cref="PeerException">Another process failed.</exception>
    public bool Complete(Exception? failure, bool stop)
    {
        using var scope = NewDisposeScope();
        using var guard = no_grad();
        failure ??= inBackward;
        Ahead += sent > 0 ? Stopwatch.GetElapsedTime(firstSent) : TimeSpan.Zero;
        while (sent < buckets.Count)
        {
            // Of a process that failed the others wait for as many numbers, whatever they are.
            Send(isWhole: failure is null);
        }

        ranks.Flags(failure).CopyTo(news, 0);
        news[ranks.Size] = stop ? 1 : 0;
        long start = Stopwatch.GetTimestamp();
        foreach (Transfer transfer in underWay)
        {
            transfer.Wait();
        }

        ranks.Sum(news);
        Steps++;
        Waited += Stopwatch.GetElapsedTime(start);
        ranks.Conclude(news.AsSpan(0, ranks.Size), failure);
        bool anyStops = news[ranks.Size] > 0;
        for (int i = 0; i < parameters.Length; i++)
        {
            if (news[ranks.Size + 1 + i] > 0)
            {
                Give(parameters[i], slots[i]);
            }
        }

        Begin();
        return anyStops;
    }

    public void Dispose()
    {
        removers.ForEach(remove => remove());
        removers.Clear();
        // What is still on its way must not find its memory gone: a step was left where the other processes don't know, and all are about to end.
        if (underWay.TrueForAll(transfer => transfer.HasArrived))
        {
            Array.ForEach(slots, slot => slot.Dispose());
            buckets.ForEach(bucket => bucket.Memory.Dispose());
        }
    }

    private void Begin()
    {
        (sent, inBackward, isFirstPiece, isLastPiece) = (0, null, true, false);
        Array.Clear(news);
        underWay.Clear();
    }

    private static void Give(Parameter parameter, Tensor sum)
    {
        if (parameter.grad is { } own)
        {
            own.copy_(sum);
        }
        else
        {
            parameter.grad = sum.clone();
        }
    }

    private void Take(int i)
    {
        using var scope = NewDisposeScope();
        using var guard = no_grad();
        if (parameters[i].grad is { } gradient)
        {
            _ = isFirstPiece || news[ranks.Size + 1 + i] == 0 ? slots[i].copy_(gradient) : slots[i].Add(gradient);
            news[ranks.Size + 1 + i] = 1;
            if (!isLastPiece)
            {
                parameters[i].grad = null;
            }
        }
        else if (isFirstPiece)
        {
            slots[i].zero_();
        }
    }

    /// <summary>The backward pass of the last piece has come as far as a bucket's first layer.</summary>
    private void Passed()
    {
        try
        {
            while (isLastPiece && inBackward is null && sent < buckets.Count - 1 && IsComplete(buckets[sent]))
            {
                Send(isWhole: true);
            }
        }
        catch (Exception e)
        {
            inBackward = e;
        }
    }

    /// <summary>Whether a bucket's gradients are there. Autograd gives a parameter its gradient once, when all uses of it have theirs.</summary>
    private bool IsComplete(Bucket bucket)
    {
        using var scope = NewDisposeScope();
        for (int i = bucket.First; i < bucket.End; i++)
        {
            if (parameters[i].grad is null)
            {
                return false;
            }
        }

        return true;
    }

    private void Send(bool isWhole)
    {
        firstSent = sent == 0 ? Stopwatch.GetTimestamp() : firstSent;
        Bucket bucket = buckets[sent];
        for (int i = bucket.First; isWhole && i < bucket.End; i++)
        {
            Take(i);
        }

        fixed (byte* start = bucket.Memory.bytes)
        {
            // libtorch's memory, which stays where it is.
            underWay.Add(ranks.BeginSum((float*)start, (int)bucket.Memory.numel()));
        }

        // Only now: where it fails before, the others still wait for this one.
        sent++;
    }

    private void MakeBuckets(ITrainingTask task)
    {
        long size = Math.Clamp(parameters.Sum(p => p.numel()) * sizeof(float) / FewestBuckets, SmallestBucket, LargestBucket);
        Dictionary<IntPtr, nn.Module> owners = [];
        foreach (nn.Module module in task.Modules().SelectMany(m => m.named_modules().Select(n => n.module).Append(m)))
        {
            foreach ((_, Parameter parameter) in module.named_parameters(recurse: false))
            {
                owners.TryAdd(parameter.Handle, module);
            }
        }

        int first = 0;
        long bytes = 0;
        for (int i = 0; i < parameters.Length; i++)
        {
            bytes += parameters[i].numel() * sizeof(float);
            nn.Module? owner = owners.GetValueOrDefault(parameters[i].Handle);
            bool endsModule = i + 1 == parameters.Length || owners.GetValueOrDefault(parameters[i + 1].Handle) != owner;
            // A mark would hide from others that a BatchNorm's input is what the layer before it gave.
            if (i + 1 < parameters.Length && (bytes < size || !endsModule || owner is not nn.Module<Tensor, Tensor> or NormBase))
            {
                continue;
            }

            if (i + 1 < parameters.Length)
            {
                removers.Add(((nn.Module<Tensor, Tensor>)owner!).register_forward_pre_hook((_, input) => BackwardMark.On(input, Passed)).remove);
            }

            AddBucket(first, i + 1);
            (first, bytes) = (i + 1, 0);
        }
    }

    private void AddBucket(int first, int end)
    {
        using var scope = NewDisposeScope();
        using var guard = no_grad();
        long count = 0;
        for (int i = first; i < end; i++)
        {
            count += parameters[i].numel();
        }

        Tensor memory = zeros(count).DetachFromDisposeScope();
        buckets.Add(new Bucket(memory, first, end));
        long place = 0;
        for (int i = first; i < end; i++)
        {
            slots[i] = memory.narrow(0, place, parameters[i].numel()).view(parameters[i].shape).DetachFromDisposeScope();
            place += parameters[i].numel();
        }
    }
}
