using AdderNet.Data.Detection;

namespace AdderNet.Training.Detection;

/// <summary>
/// What each place of a detector's maps should find (FCOS, section 3): the smallest object whose box it lies in, near the middle of it, on
/// the map for its size. Within objects that count for nothing, other places are neither object nor background.
/// </summary>
internal sealed class FcosTargets
{
    /// <summary>How far from the middle of an object a place may lie that is to find it, in strides.</summary>
    private const float Radius = 1.5f;

    private readonly FcosGrid grid;
    private readonly List<long> places = [];
    private readonly List<float> distances = [], centreness = [];

    /// <param name="grid">The detector's places.</param>
    /// <param name="images">The objects of each image.</param>
    public FcosTargets(FcosGrid grid, IReadOnlyList<IReadOnlyList<LabelledBox>> images)
    {
        this.grid = grid;
        Scores = new float[images.Count * grid.Places * grid.Classes];
        Weights = new float[images.Count * grid.Places];
        Array.Fill(Weights, 1f);
        LabelledBox?[] owners = new LabelledBox?[grid.Places];
        foreach (var (image, objects) in images.Index())
        {
            Array.Clear(owners);
            // The smallest comes last and stays.
            foreach (LabelledBox o in objects.OrderByDescending(o => o.Box.Area))
            {
                foreach (FcosGrid.Map map in grid.Maps)
                {
                    if (o.IsIgnored)
                    {
                        Visit(map, o.Box, place => Weights[image * grid.Places + place] = 0);
                    }
                    else
                    {
                        Claim(map, o, owners);
                    }
                }
            }

            foreach (FcosGrid.Map map in grid.Maps)
            {
                for (int i = 0; i < map.Rows * map.Columns; i++)
                {
                    if (owners[map.First + i] is { } owner)
                    {
                        Add(grid, image, map, i, owner);
                    }
                }
            }
        }
    }

    private FcosTargets(FcosTargets whole, int start, int count)
    {
        grid = whole.grid;
        (long first, long end) = ((long)start * grid.Places, (long)(start + count) * grid.Places);
        Scores = whole.Scores[(int)(first * grid.Classes)..(int)(end * grid.Classes)];
        Weights = whole.Weights[(int)first..(int)end];
        // They follow each other by image.
        (int from, int to) = (whole.places.TakeWhile(p => p < first).Count(), whole.places.TakeWhile(p => p < end).Count());
        places.AddRange(whole.places[from..to].Select(p => p - first));
        distances.AddRange(whole.distances[(4 * from)..(4 * to)]);
        centreness.AddRange(whole.centreness[from..to]);
    }

    /// <summary>1 for the class to be found at a place, else 0: [images, places, classes].</summary>
    public float[] Scores { get; }

    /// <summary>0 for the places that count for nothing, else 1: [images, places].</summary>
    public float[] Weights { get; }

    /// <summary>The places that are to find something, counted over all images.</summary>
    public long[] Places => [.. places];

    /// <summary>Distances to the left, upper, right and lower edge, in strides: [<see cref="Places"/>, 4].</summary>
    public float[] Distances => [.. distances];

    /// <summary>How near the middle: sqrt(min(l, r) / max(l, r) * min(t, b) / max(t, b)), [<see cref="Places"/>].</summary>
    public float[] Centreness => [.. centreness];

    /// <summary>The targets of some of the images.</summary>
    /// <param name="start">The first image.</param>
    /// <param name="count">How many.</param>
    public FcosTargets Of(int start, int count) => new(this, start, count);

    private static void Claim(FcosGrid.Map map, LabelledBox o, LabelledBox?[] owners)
    {
        Box b = o.Box;
        float reach = Radius * map.Level.Stride, x = (b.X0 + b.X1) / 2, y = (b.Y0 + b.Y1) / 2;
        Box middle = new(Math.Max(b.X0, x - reach), Math.Max(b.Y0, y - reach), Math.Min(b.X1, x + reach), Math.Min(b.Y1, y + reach));
        Visit(map, middle, place =>
        {
            (float cx, float cy) = (map.Centre((place - map.First) % map.Columns), map.Centre((place - map.First) / map.Columns));
            float farthest = Math.Max(Math.Max(cx - b.X0, b.X1 - cx), Math.Max(cy - b.Y0, b.Y1 - cy));
            if (farthest > map.Level.Least && farthest <= map.Level.Most)
            {
                owners[place] = o;
            }
        });
    }

    /// <summary>The places whose pixel lies within a box.</summary>
    private static void Visit(FcosGrid.Map map, Box box, Action<int> visit)
    {
        for (int row = 0; row < map.Rows; row++)
        {
            if (map.Centre(row) <= box.Y0 || map.Centre(row) >= box.Y1)
            {
                continue;
            }

            for (int column = 0; column < map.Columns; column++)
            {
                if (map.Centre(column) > box.X0 && map.Centre(column) < box.X1)
                {
                    visit(map.First + row * map.Columns + column);
                }
            }
        }
    }

    private void Add(FcosGrid grid, int image, FcosGrid.Map map, int i, LabelledBox owner)
    {
        int place = image * grid.Places + map.First + i;
        (float x, float y) = (map.Centre(i % map.Columns), map.Centre(i / map.Columns));
        (float l, float t, float r, float b) = (x - owner.Box.X0, y - owner.Box.Y0, owner.Box.X1 - x, owner.Box.Y1 - y);
        Scores[place * grid.Classes + owner.Class] = 1;
        Weights[place] = 1;
        places.Add(place);
        distances.AddRange([l / map.Level.Stride, t / map.Level.Stride, r / map.Level.Stride, b / map.Level.Stride]);
        centreness.Add(MathF.Sqrt(Math.Min(l, r) / Math.Max(l, r) * (Math.Min(t, b) / Math.Max(t, b))));
    }
}
