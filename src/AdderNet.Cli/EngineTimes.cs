using System.Diagnostics;
using AdderNet.Inference;

namespace AdderNet.Cli;

/// <summary>Times networks in the engine.</summary>
internal static class EngineTimes
{
    private const int LeastRounds = 5;

    /// <summary>Medians of runs that take turns, so that what else the machine does meets all alike; in milliseconds for all images.</summary>
    /// <param name="engines">Networks for images of one size and with one number of outputs.</param>
    /// <param name="images">Some images; they are repeated where they are fewer than wanted.</param>
    /// <param name="count">Images at a time.</param>
    /// <param name="least">How long to measure at least.</param>
    /// <param name="cancel">Stops after the run in flight.</param>
    public static double[] Measure(IReadOnlyList<Engine> engines, float[] images, int count, TimeSpan least, CancellationToken cancel)
    {
        int length = engines[0].InputShape.Count;
        float[] input = [.. Enumerable.Range(0, count).SelectMany(i => new ArraySegment<float>(images, i * length % images.Length, length))];
        float[] scores = new float[count * engines[0].OutputLength];
        List<double>[] times = [.. engines.Select(_ => new List<double>())];
        foreach (Engine engine in engines)
        {
            engine.Run(input, scores);
        }

        for (long start = Stopwatch.GetTimestamp(); times[0].Count < LeastRounds || Stopwatch.GetElapsedTime(start) < least;)
        {
            foreach ((Engine engine, List<double> list) in engines.Zip(times))
            {
                cancel.ThrowIfCancellationRequested();
                long begin = Stopwatch.GetTimestamp();
                engine.Run(input, scores);
                list.Add(Stopwatch.GetElapsedTime(begin).TotalMilliseconds);
            }
        }

        return [.. times.Select(list => list.Order().ElementAt(list.Count / 2))];
    }
}
