using AdderNet.Data.Detection;
using AdderNet.Models;
using AdderNet.Training.Detection;
using TorchSharp;
using static TorchSharp.torch;

namespace AdderNet.Training.Tests.Detection;

/// <summary>What a detector's places should give, what it costs if they don't, and what is made of it.</summary>
public class FcosTests
{
    private static readonly DetectionLevel[] Levels = [new(8, 0, 24), new(16, 24, double.PositiveInfinity)];

    private static readonly FcosGrid Grid = new(Levels, 64, 48, classes: 3);

    [Fact]
    public void Places_are_counted_map_after_map()
    {
        Assert.Equal([(8, 6, 0), (4, 3, 48)], Grid.Maps.Select(m => (m.Rows, m.Columns, m.First)));
        Assert.Equal((60, 60 * 8), (Grid.Places, Grid.RowLength));
        // What is left of the last stride has a row or column of its own: 41 / 8 = 5.1, 50 / 8 = 6.3, 41 / 16 = 2.6, 50 / 16 = 3.1.
        Assert.Equal([(6, 7, 0), (3, 4, 42)], new FcosGrid(Levels, 41, 50, 1).Maps.Select(m => (m.Rows, m.Columns, m.First)));
    }

    [Fact]
    public void A_place_finds_the_smallest_object_around_it_on_the_map_for_its_size()
    {
        // Around (12, 12) on the fine map: the middle of the small box, and within 12 pixels of the middle of the other.
        LabelledBox small = new(1, new(6, 6, 18, 18)), medium = new(2, new(2, 2, 26, 26)), large = new(0, new(0, 0, 48, 64));
        FcosTargets targets = new(Grid, [[small, medium], [large]]);
        // The small one's pixel 12, the medium one's 4, 12 and 20 in either direction, less the small one's.
        Assert.Equal([0, 1, 2, 6, 7, 8, 12, 13, 14], targets.Places.Where(p => p < Grid.Places).Order());
        Assert.Equal(1, targets.Scores[7 * 3 + 1]);
        Assert.Equal(0, targets.Scores[7 * 3 + 2]);
        Assert.Equal(1, targets.Scores[8 * 3 + 2]);
        int at = Array.IndexOf(targets.Places, 8);
        // Pixel (20, 12): 18 from the left edge at 2, 10 from the upper, 6 from the right, 14 from the lower; in strides of 8.
        Assert.Equal([18 / 8f, 10 / 8f, 6 / 8f, 14 / 8f], targets.Distances[(4 * at)..(4 * at + 4)]);
        Assert.Equal(MathF.Sqrt(6f / 18 * 10 / 14), targets.Centreness[at], 1e-5f);
        // The large one is for the coarse map, near its middle (24, 32).
        long[] second = [.. targets.Places.Where(p => p >= Grid.Places).Select(p => p - Grid.Places).Order()];
        Assert.All(second, p => Assert.True(p >= 48));
        Assert.Contains(48 + 1 * 3 + 1, second);
        Assert.DoesNotContain(48, second);
        Assert.Equal(targets.Places.Length, targets.Scores.Sum());
    }

    [Fact]
    public void Places_in_objects_that_count_for_nothing_are_left_out()
    {
        LabelledBox crowd = new(0, new(0, 0, 16, 16)) { IsCrowd = true }, inside = new(1, new(0, 0, 8, 8));
        FcosTargets targets = new(Grid, [[crowd, inside]]);
        Assert.Equal([0L], targets.Places);
        Assert.Equal([1, 6, 7, 48], targets.Weights.Index().Where(w => w.Item == 0).Select(w => w.Index));
    }

    [Fact]
    public void What_the_targets_say_is_decoded_into_the_objects()
    {
        LabelledBox[] objects = [new(1, new(6, 6, 18, 18)), new(2, new(20, 20, 44, 40)), new(0, new(2, 30, 46, 62))];
        FcosTargets targets = new(Grid, [objects]);
        float[] row = Row(targets);
        List<FoundBox> found = FcosDecoder.Decode(row, Grid);
        Assert.Equal(3, found.Count);
        foreach (LabelledBox o in objects)
        {
            FoundBox f = Assert.Single(found, f => f.Class == o.Class);
            Assert.True(f.Box.IoU(o.Box) > 0.999f && f.Score > 0.5f, $"{f}");
        }
    }

    [Fact]
    public void The_loss_is_what_the_papers_say()
    {
        using var scope = NewDisposeScope();
        LabelledBox[] objects = [new(1, new(6, 6, 18, 18))];
        FcosTargets targets = new(Grid, [objects]);
        // One place; logits 0 everywhere: 180 scores of 1/2. The one that is to be 1 costs 1/4 * 1/4 * ln 2, each other 3/4 * 1/4 * ln 2.
        FcosLoss loss = FcosLoss.Of(zeros(1, Grid.RowLength), Grid, targets);
        Assert.Equal((0.25 + 179 * 0.75) * 0.25 * Math.Log(2), loss.Classes.item<float>(), 1e-3);
        // Centre-ness 1 against a logit of 0.
        Assert.Equal(Math.Log(2), loss.Centres.item<float>(), 1e-5);
        // A box of 8 pixels to each side around one of 6: IoU 144 / 256, and no more around both than the larger one.
        Assert.Equal(1 - 144.0 / 256, loss.Boxes.item<float>(), 1e-5);
        // Perfect answers cost nearly nothing.
        FcosLoss perfect = FcosLoss.Of(tensor(Row(targets), [1, Grid.RowLength]), Grid, targets);
        Assert.True(perfect.Classes.item<float>() < 1e-3 && perfect.Boxes.item<float>() < 1e-5, $"{perfect.Classes.item<float>()}");
        // An image without objects has a loss whose gradient reaches everything.
        Tensor rows = zeros(1, Grid.RowLength).requires_grad_(true);
        FcosLoss.Of(rows, Grid, new FcosTargets(Grid, [[]])).Sum().backward();
        Assert.True(rows.grad!.isfinite().all().item<bool>());
    }

    [Fact]
    public void GIoU_of_boxes_side_by_side_is_below_the_IoU()
    {
        using var scope = NewDisposeScope();
        // From one point: 1 to the left and 3 to the right, 3 and 1; both 2 high. Common 2 x 2, union 12, around both 6 x 2 = 12.
        Tensor a = tensor(new float[] { 1, 1, 3, 1, 1, 1, 1, 1 }).view(2, 4), b = tensor(new float[] { 3, 1, 1, 1, 1, 3, 1, 3 }).view(2, 4);
        float[] values = FcosLoss.GeneralizedIoU(a, b).data<float>().ToArray();
        Assert.Equal(4f / 12, values[0], 1e-5f);
        Assert.Equal(4f / 12, values[1], 1e-5f);
        // A cross: common 2 x 2, union 8 + 8 - 4, around both 4 x 4.
        Tensor wide = tensor(new float[] { 2, 1, 2, 1 }).view(1, 4), high = tensor(new float[] { 1, 2, 1, 2 }).view(1, 4);
        Assert.Equal(4f / 12 - 4f / 16, FcosLoss.GeneralizedIoU(wide, high).item<float>(), 1e-5f);
    }

    [Fact]
    public void Of_boxes_of_one_object_the_surest_is_kept()
    {
        FoundBox[] candidates =
        [
            new(0, new(0, 0, 10, 10), 0.5f), new(0, new(1, 0, 11, 10), 0.9f), new(1, new(0, 0, 10, 10), 0.4f),
            new(0, new(6, 0, 16, 10), 0.3f), new(0, new(5, 5, 5, 9), 0.99f),
        ];
        Assert.Equal([0.9f, 0.4f, 0.3f], FcosDecoder.Suppress(candidates, 0.6f, 10).Select(f => f.Score));
        Assert.Equal([0.9f], FcosDecoder.Suppress(candidates, 0.6f, 1).Select(f => f.Score));
    }

    /// <summary>A detector's row that says what the targets do.</summary>
    private static float[] Row(FcosTargets targets)
    {
        float[] row = new float[Grid.RowLength];
        foreach (FcosGrid.Map map in Grid.Maps)
        {
            int size = map.Rows * map.Columns;
            Span<float> values = row.AsSpan(map.First * Grid.Values, size * Grid.Values);
            values[..(Grid.Classes * size)].Fill(-12);
            values[((Grid.Classes + 4) * size)..].Fill(-12);
            for (int i = 0; i < size; i++)
            {
                int at = Array.IndexOf(targets.Places, map.First + i);
                if (at < 0)
                {
                    continue;
                }

                int label = Array.IndexOf(targets.Scores, 1f, (map.First + i) * Grid.Classes) - (map.First + i) * Grid.Classes;
                values[label * size + i] = 12;
                for (int edge = 0; edge < 4; edge++)
                {
                    values[(Grid.Classes + edge) * size + i] = MathF.Log(targets.Distances[4 * at + edge]);
                }

                float centre = Math.Min(targets.Centreness[at], 1 - 1e-6f);
                values[(Grid.Classes + 4) * size + i] = MathF.Log(centre / (1 - centre));
            }
        }

        return row;
    }
}
