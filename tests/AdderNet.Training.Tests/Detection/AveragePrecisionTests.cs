using AdderNet.Data.Detection;
using AdderNet.Training.Detection;

namespace AdderNet.Training.Tests.Detection;

/// <summary>Average precisions against numbers worked out by hand.</summary>
public class AveragePrecisionTests
{
    /// <summary>
    /// Four objects; detections right, wrong, right, wrong, right: precisions 1, 1/2, 2/3, 1/2, 3/5 at recalls 1/4, 1/4, 1/2, 1/2, 3/4. The
    /// best from there on are 1, 2/3, 2/3, 3/5, 3/5.
    /// </summary>
    [Fact]
    public void Three_ways_to_average_precision_give_what_is_worked_out_by_hand()
    {
        PrecisionRecall curve = new(4, [0.9f, 0.8f, 0.7f, 0.6f, 0.5f], [true, false, true, false, true]);
        Assert.Equal(0.25 * 1 + 0.25 * 2 / 3 + 0.25 * 3 / 5, curve.AreaUnderCurve!.Value, 12);
        // Recalls of 0, 0.1 and 0.2; 0.3 to 0.5; 0.6 and 0.7.
        Assert.Equal((3 * 1 + 3 * 2.0 / 3 + 2 * 0.6) / 11, curve.ElevenPoints!.Value, 12);
        // 0 to 0.25; 0.26 to 0.5; 0.51 to 0.75.
        Assert.Equal((26 * 1 + 25 * 2.0 / 3 + 25 * 0.6) / 101, curve.HundredAndOnePoints!.Value, 12);
        Assert.Equal(0.75, curve.Recall);
        Assert.Equal((0.5f, 0.6, 0.75), curve.BestF1);
    }

    [Fact]
    public void Nothing_to_find_has_no_average_and_nothing_found_has_zero()
    {
        PrecisionRecall nothing = new(0, [0.5f], [false]), missed = new(2, [], []);
        Assert.Equal((null, null, null, null), (nothing.AreaUnderCurve, nothing.ElevenPoints, nothing.HundredAndOnePoints, nothing.Recall));
        Assert.Equal((0, 0, 0, 0), (missed.AreaUnderCurve, missed.ElevenPoints, missed.HundredAndOnePoints, missed.Recall));
    }

    /// <summary>Boxes of 10 x 10 moved by 1, 2, ... columns overlap by (10 - d) / (10 + d).</summary>
    [Fact]
    public void COCO_averages_over_ten_overlaps()
    {
        DetectionMeter meter = new(["a", "never"]);
        // IoU 9/11 = 0.818: a hit at 0.5 to 0.8, at seven of ten; 8/12 = 0.667 at 0.5 to 0.65, at four.
        meter.Add([At(0), At(100)], [Hit(1, 0.9f), Hit(102, 0.8f)]);
        meter.Add([], []);
        DetectionScores scores = meter.Scores();
        Assert.Equal(1, scores.All.Map50!.Value, 12);
        // At 0.7 to 0.8 one of two, found first: precision 1 up to a recall of 0.5, 51 of 101 points.
        Assert.Equal((4 * 1 + 3 * 51.0 / 101) / 10, scores.All.Map!.Value, 12);
        Assert.Equal(51.0 / 101, scores.Map75!.Value, 12);
        Assert.Equal((4 * 1 + 3 * 0.5) / 10, scores.Recall100!.Value, 12);
        Assert.Equal((2, 2), (scores.All.Images, scores.All.Instances));
        Assert.Equal(new ClassScores("never", 0, 0, null, null, null, null), scores.Classes[1]);
        Assert.Equal((1, 2), (scores.Classes[0].Images, scores.Classes[0].Instances));
        Assert.Equal(scores.All.Map, meter.Map().Map);
    }

    [Fact]
    public void A_second_detection_of_an_object_is_wrong()
    {
        DetectionMeter meter = new(["a"]);
        meter.Add([At(0), At(50)], [Hit(0, 0.9f), Hit(1, 0.8f), Hit(50, 0.7f)]);
        DetectionScores scores = meter.Scores();
        // Precision 1, 1/2, 2/3 at recalls 1/2, 1/2, 1.
        Assert.Equal((51 + 50 * 2.0 / 3) / 101, scores.All.Map50!.Value, 12);
        Assert.Equal(0.5 + 0.5 * 2 / 3, scores.VocArea!.Value, 12);
        Assert.Equal((6 + 5 * 2.0 / 3) / 11, scores.Voc11Points!.Value, 12);
    }

    /// <summary>In VOC a detection belongs to the object it overlaps most, found or not; in COCO to the best free one.</summary>
    [Fact]
    public void VOC_and_COCO_differ_where_the_nearest_object_is_taken()
    {
        DetectionMeter meter = new(["a"]);
        meter.Add([At(0), At(3)], [Hit(0, 0.9f), Hit(1, 0.8f)]);
        DetectionScores scores = meter.Scores();
        // (10 - 2) / (10 + 2) with the second object is over a half, but less than 9/11 with the first.
        Assert.Equal(1, scores.All.Map50!.Value, 12);
        Assert.Equal(0.5, scores.VocArea!.Value, 12);
    }

    [Fact]
    public void Difficult_objects_and_crowds_count_for_nothing()
    {
        LabelledBox difficult = At(50) with { IsDifficult = true }, crowd = new(0, new Box(100, 0, 200, 10)) { IsCrowd = true };
        DetectionMeter meter = new(["a"]);
        // Three detections within the crowd are right to COCO's IoU over their own area, and none counts.
        meter.Add([At(0), difficult, crowd], [Hit(50, 0.99f), Hit(100, 0.98f), Hit(120, 0.97f), Hit(140, 0.96f), Hit(0, 0.9f)]);
        DetectionScores scores = meter.Scores();
        Assert.Equal((1, 1), (scores.All.Map50, scores.All.Instances));
        // A second detection of a difficult object is wrong in COCO, where only crowds are never used up; in VOC it is not.
        DetectionMeter twice = new(["a"]);
        twice.Add([At(0), difficult], [Hit(50, 0.99f), Hit(51, 0.98f), Hit(0, 0.9f)]);
        Assert.Equal(0.5, twice.Scores().All.Map50!.Value, 12);
        Assert.Equal(1, twice.Scores().VocArea!.Value, 12);
    }

    [Fact]
    public void Sizes_are_measured_apart()
    {
        DetectionMeter meter = new(["a"]);
        LabelledBox large = new(0, new Box(0, 0, 100, 100)), outlined = new(0, new Box(200, 0, 300, 100)) { Area = 900 };
        meter.Add([At(400), large, outlined], [Hit(400, 0.5f), new(0, large.Box, 0.9f), new(0, new Box(0, 300, 100, 400), 0.95f)]);
        DetectionScores scores = meter.Scores();
        // Small: one of the two (the outline has 900 pixels) is found, and the large false alarm is not theirs.
        Assert.Equal(["small", "medium", "large"], scores.BySize.Select(s => s.Size));
        Assert.Equal(51.0 / 101, scores.BySize[0].Map!.Value, 12);
        Assert.Null(scores.BySize[1].Map);
        Assert.Equal(0.5, scores.BySize[2].Map!.Value, 12);
    }

    [Fact]
    public void Only_a_hundred_detections_count()
    {
        DetectionMeter meter = new(["a"]);
        FoundBox[] wrong = [.. Enumerable.Range(0, 100).Select(i => Hit(1000 + 20 * i, 0.9f))];
        meter.Add([At(0)], [.. wrong, Hit(0, 0.5f)]);
        Assert.Equal(0, meter.Scores().All.Map50);
        DetectionMeter fewer = new(["a"]);
        fewer.Add([At(0)], [.. wrong[1..], Hit(0, 0.5f)]);
        Assert.Equal(0.01, fewer.Scores().All.Map50!.Value, 12);
    }

    [Fact]
    public void The_confusion_matrix_counts_pairs_misses_and_false_alarms()
    {
        ConfusionMatrix matrix = new(2, leastScore: 0.3);
        matrix.Add(
            [At(0), new(1, At(50).Box), At(100), At(150) with { IsDifficult = true }],
            [Hit(0, 0.9f), Hit(51, 0.8f), new(1, At(200).Box, 0.7f), Hit(100, 0.2f), Hit(150, 0.9f)]);
        Assert.Equal([1, 0, 1, 1, 0, 0, 0, 1, 0],
            from t in Enumerable.Range(0, 3) from f in Enumerable.Range(0, 3) select (int)matrix[t, f]);
    }

    private static LabelledBox At(float x) => new(0, new Box(x, 0, x + 10, 10));

    private static FoundBox Hit(float x, float score) => new(0, At(x).Box, score);
}
