using AdderNet.Data.Detection;
using AdderNet.Graph;

namespace AdderNet.Training.Detection;

/// <summary>Makes boxes of a detector's numbers: those that are sure enough, and of each object the surest.</summary>
internal static class FcosDecoder
{
    /// <summary>The objects that are found in an image, surest first.</summary>
    /// <param name="row">What the detector gives for it.</param>
    /// <param name="grid">The detector's places.</param>
    /// <param name="leastScore">Boxes that are less sure are none.</param>
    /// <param name="mostIoU">Boxes of one class that overlap more are of one object.</param>
    /// <param name="most">Most objects.</param>
    public static List<FoundBox> Decode(
        ReadOnlySpan<float> row, FcosGrid grid, float leastScore = BoxDecoding.LeastScore, float mostIoU = BoxDecoding.MostOverlap,
        int most = BoxDecoding.Most)
    {
        List<FoundBox> candidates = [];
        foreach (FcosGrid.Map map in grid.Maps)
        {
            int size = map.Rows * map.Columns;
            ReadOnlySpan<float> values = row.Slice(map.First * grid.Values, size * grid.Values);
            List<FoundBox> here = [];
            for (int i = 0; i < size; i++)
            {
                // The score is the geometric mean of class and centre-ness; neither makes the other larger than 1.
                float centre = Sigmoid(values[(grid.Classes + 4) * size + i]);
                for (int c = 0; c < grid.Classes; c++)
                {
                    float score = MathF.Sqrt(Sigmoid(values[c * size + i]) * centre);
                    if (score > leastScore)
                    {
                        here.Add(new FoundBox(c, At(map, values, size, i, grid), score));
                    }
                }
            }

            candidates.AddRange(here.Count > BoxDecoding.MostPerMap ? here.OrderByDescending(f => f.Score).Take(BoxDecoding.MostPerMap) : here);
        }

        return Suppress(candidates, mostIoU, most);
    }

    /// <summary>
    /// Non-maximum suppression: in the order of their scores, those that overlap none of their class before them too much.
    /// </summary>
    public static List<FoundBox> Suppress(IEnumerable<FoundBox> candidates, float mostIoU, int most)
    {
        List<FoundBox> kept = [];
        foreach (FoundBox next in candidates.Where(c => c.Box.Area > 0).OrderByDescending(c => c.Score))
        {
            if (kept.Count == most)
            {
                break;
            }

            if (!kept.Exists(k => k.Class == next.Class && k.Box.IoU(next.Box) > mostIoU))
            {
                kept.Add(next);
            }
        }

        return kept;
    }

    private static Box At(FcosGrid.Map map, ReadOnlySpan<float> values, int size, int i, FcosGrid grid)
    {
        (float x, float y) = (map.Centre(i % map.Columns), map.Centre(i / map.Columns));
        return new Box(
            x - Distance(values, 0), y - Distance(values, 1),
            x + Distance(values, 2), y + Distance(values, 3)).Clip(grid.Width, grid.Height);

        float Distance(ReadOnlySpan<float> values, int edge) =>
            map.Level.Stride * MathF.Exp(Math.Min(values[(grid.Classes + edge) * size + i], BoxDecoding.MostLogarithm));
    }

    private static float Sigmoid(float x) => 1 / (1 + MathF.Exp(-x));
}
