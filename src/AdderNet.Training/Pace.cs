using System.Diagnostics;

namespace AdderNet.Training;

/// <summary>How fast a run goes, and so how long it will still take.</summary>
internal sealed class Pace(int epochs, int trainBatches, int testBatches)
{
    private readonly Stopwatch watch = new();
    private double trainBatchSeconds, testBatchSeconds;

    public TimeSpan Elapsed => watch.Elapsed;

    public void Begin() => watch.Restart();

    /// <summary>Time left after some batches of a phase that <see cref="Begin"/> began.</summary>
    public TimeSpan TimeLeft(int epoch, TrainingPhase phase, int done)
    {
        double seconds = watch.Elapsed.TotalSeconds / Math.Max(done, 1);
        int train = (epochs - epoch) * trainBatches, test = (epochs - epoch) * testBatches;
        if (phase == TrainingPhase.Train)
        {
            trainBatchSeconds = seconds;
            (train, test) = (train + trainBatches - done, test + testBatches);
        }
        else
        {
            testBatchSeconds = seconds;
            test += testBatches - done;
        }

        // Until a test has been seen: a forward pass is about a third of a training step.
        double testSeconds = testBatchSeconds > 0 ? testBatchSeconds : trainBatchSeconds / 3;
        return TimeSpan.FromSeconds(train * trainBatchSeconds + test * testSeconds);
    }
}
