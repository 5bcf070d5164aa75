using System.Numerics;
using AdderNet.Data;
using AdderNet.Models;
using AdderNet.Training;
using ScottPlot;

namespace AdderNet.Reproduction;

/// <summary>What the networks make of images, in the plane: figure 1 of the paper.</summary>
internal static class FeaturesExperiment
{
    // Centres are of training images: the test images are measured by what they had no part in.
    private const int CentreImages = 10_000, BatchSize = 250;

    public static Experiment Create() => new(
        "features", "Features of LeNet++ on MNIST in the plane: AdderNet beside CNN", "figure 1", Recipes.Find("mnist").Recipe.Epochs, Plan, Write);

    private static IReadOnlyList<PlannedRun> Plan(ReproduceOptions options) =>
    [
        .. from seed in Enumerable.Range(1, options.Seeds)
           from kind in (LayerKind[])[LayerKind.Adder, LayerKind.Conv]
           let recipe = Recipe.For("lenet++", "mnist") with { Layers = kind, Epochs = options.Epochs, Seed = seed }
           select PlannedRun.Of(recipe, kind.Title()) with { Model = (classes, channels) => EmbeddingNetwork.Create(kind, classes, channels) },
    ];

    private static void Write(Findings findings, Report report)
    {
        report.Text(
            "LeNet++ passes every image through two numbers, so that its features can be drawn. The paper claims that a CNN, which compares by "
            + "inner products, divides the plane into sectors, and that an AdderNet, which compares by L1 distances, gathers each class around a centre.");
        report.Text(
            "Put to numbers: each test image is given to the class whose centre, the mean of training images' features, is nearest by L1 distance, or by "
            + "the angle as seen from the origin. Clusters are told apart by distance and not by angle, sectors by angle better than by distance.");
        List<object?[]> rows = [];
        List<(string Label, Embeddings Features, Vector2[] Centres)> drawn = [];
        foreach (RunFinding run in findings.Runs)
        {
            string claim = run.Plan.Recipe.Layers == LayerKind.Adder ? "clusters: L1 above angle" : "sectors: angle above L1";
            if (run.Result is not { } result)
            {
                rows.Add([run.Plan.Label, run.Plan.Recipe.Seed, run.Missing, null, null, claim, null]);
                continue;
            }

            using TrainedModel model = run.LoadModel();
            int classes = model.ClassNames.Count;
            Vector2[] centres = Embed(model, train: true, CentreImages / BatchSize).Centres(classes);
            Embeddings test = Embed(model, train: false, int.MaxValue);
            double byL1 = test.NearestByL1(centres), byAngle = test.NearestByAngle(centres);
            bool holds = run.Plan.Recipe.Layers == LayerKind.Adder ? byL1 > byAngle : byAngle > byL1;
            rows.Add([run.Plan.Label, run.Plan.Recipe.Seed, 100 * result.TestTop1, 100 * byL1, 100 * byAngle, claim, holds ? "yes" : "no"]);
            if (run.Plan.Recipe.Seed == 1)
            {
                drawn.Add((run.Plan.Label, test, centres));
            }
        }

        report.Table(
            "features",
            [
                "network", "seed", new("test accuracy, %", "F2"), new("nearest centre by L1, %", "F2"), new("nearest centre by angle, %", "F2"), "the paper's claim",
                "holds",
            ],
            rows);
        if (drawn.Count > 0)
        {
            report.Figure(
                "features",
                "Features of the test images and the centres of the classes. The features are divided by their root mean square distance from the "
                + "origin, which changes no angle and no order of distances, so that both panels have the same axes.",
                Draw(drawn, findings.Data.Images("mnist", train: false, findings.Cancel).ClassNames));
        }

        Embeddings Embed(TrainedModel model, bool train, int batches)
        {
            Dataset images = findings.Data.Images("mnist", train, findings.Cancel);
            using DataLoader loader = new(images, model.Preparation, BatchSize, shuffle: false, seed: 0);
            return EmbeddingNetwork.Embed(model.Model, loader, batches, findings.Cancel);
        }
    }

    internal static Figure Draw(IReadOnlyList<(string Label, Embeddings Features, Vector2[] Centres)> networks, IReadOnlyList<string> classes)
    {
        Plot[] panels = [.. networks.Select(n => Panel(n.Label, n.Features, n.Centres, classes))];
        // The origin is in the middle of both, so that angles and distances can be seen.
        double reach = 1.05 * networks.SelectMany(n => n.Features.Points.Select(p => Math.Max(Math.Abs(p.X), Math.Abs(p.Y)) / Size(n.Features))).Max();
        foreach (Plot panel in panels)
        {
            panel.Axes.SetLimits(-reach, reach, -reach, reach);
        }

        return new Figure(
            panels, panels.Length, 560 * panels.Length, 600, [.. classes.Select((name, c) => new Key(name, Charts.Categories[c % Charts.Categories.Count], KeyMark.Dot))]);
    }

    private static double Size(Embeddings features) => Math.Sqrt(features.Points.Average(p => (double)p.LengthSquared()));

    private static Plot Panel(string label, Embeddings features, Vector2[] centres, IReadOnlyList<string> classes)
    {
        double size = Size(features);
        Plot plot = Charts.Panel(label, "first feature", "second feature");
        plot.Add.HorizontalLine(0, 1, Colors.Gray);
        plot.Add.VerticalLine(0, 1, Colors.Gray);

        foreach (var group in Enumerable.Range(0, features.Points.Count).GroupBy(i => features.Labels[i]).OrderBy(g => g.Key))
        {
            var points = plot.Add.ScatterPoints(
                group.Select(i => features.Points[i].X / size).ToArray(), group.Select(i => features.Points[i].Y / size).ToArray(),
                Charts.Categories[group.Key % Charts.Categories.Count].WithAlpha(.5));
            points.MarkerSize = 3;
        }

        for (int c = 0; c < centres.Length; c++)
        {
            if (float.IsFinite(centres[c].X))
            {
                Coordinates place = new(centres[c].X / size, centres[c].Y / size);
                plot.Add.Marker(place, MarkerShape.FilledCircle, 22, Charts.Categories[c % Charts.Categories.Count]);
                plot.Add.Marker(place, MarkerShape.FilledCircle, 18, Colors.White);
                Charts.Text(plot, classes[c], place.X, place.Y, Alignment.MiddleCenter);
            }
        }

        return plot;
    }
}
