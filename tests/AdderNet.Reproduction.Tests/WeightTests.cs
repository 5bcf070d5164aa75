using AdderNet.Checkpoints;
using AdderNet.Graph;
using AdderNet.Models;
using AdderNet.Training;
using CsCheck;
using TorchSharp;
using static TorchSharp.torch;

namespace AdderNet.Reproduction.Tests;

public class WeightTests
{
    [Fact]
    public void The_Gaussian_fit_has_the_samples_mean_and_standard_deviation()
    {
        DensityFit fit = DensityFit.Gaussian([1, 2, 3, 6]);

        Assert.Equal(3, fit.Location);
        Assert.Equal(Math.Sqrt(3.5), fit.Scale, 1e-12);
        Assert.Equal(1 / Math.Sqrt(7 * Math.PI), fit.Density(3), 1e-12);
        Assert.Equal(-0.5 * Math.Log(7 * Math.PI) - 0.5, fit.LogLikelihood, 1e-12);
    }

    [Fact]
    public void An_analysis_refuses_labels_of_more_classes_than_the_network_tells_apart()
    {
        NetworkGraph graph = new(
            [
                InputNode.Of("x", new FeatureShape(1, 1, 1)), new FlattenNode { Name = "flat", Inputs = ["x"] },
                new LinearNode { Name = "fc", Inputs = ["flat"], Weight = TensorData.FromFloats([1, 2, 3], 3, 1) },
            ],
            [new GraphOutput("scores", "fc")]);
        string refused = Assert.Throws<TrainingException>(() =>
            NetworkAnalysis.Of("three", "three.pth", LayerKind.Conv, graph, [0, 0], [2, 3], Recipe.For("lenet5-bn", "mnist"), threads: 1)).Message;
        Assert.Contains("a label 3, but three.pth tells only 3 classes apart", refused, StringComparison.Ordinal);
    }

    [Fact]
    public void A_detector_is_analyzed_without_the_gradients_of_a_classification()
    {
        float[] ones = [1, 1, 1, 1, 1, 1];
        NetworkGraph graph = new(
            [
                InputNode.Of("x", new FeatureShape(1, 1, 2)), new ReluNode { Name = "relu", Inputs = ["x"] },
                new AdderNode
                {
                    Name = "head", Inputs = ["relu"], Filters = TensorData.FromFloats(ones, 6, 1, 1, 1), Window = new WindowGeometry(1, 1),
                },
                new FlattenNode { Name = "row", Inputs = ["head"] },
            ],
            [new GraphOutput("row", "row")], new NetworkMetadata(ClassNames: ["a"], Boxes: new BoxDecoding(1, 2, [1])));

        NetworkAnalysis analysis = NetworkAnalysis.Of(
            "one", "one.pth", LayerKind.Adder, graph, [0.5f, 2], [0], Recipe.For("fcos-resnet20", "digits"), threads: 1);

        Assert.Empty(analysis.Gradients);
        LayerAnalysis head = Assert.Single(analysis.Layers);
        Assert.Equal((new TapStatistics(0, 0, 6), 2.0), (head.Taps, head.Inputs.Largest));
    }

    [Fact]
    public void The_Laplace_fit_has_the_samples_median_and_mean_distance_from_it()
    {
        DensityFit fit = DensityFit.Laplace([6, 1, 3, 2]);

        Assert.Equal((2.5, 1.5), (fit.Location, fit.Scale));
        Assert.Equal(1 / 3.0, fit.Density(2.5), 1e-12);
        Assert.Equal(Math.Exp(-1) / 3, fit.Density(1), 1e-12);
        Assert.Equal(-Math.Log(3) - 1, fit.LogLikelihood, 1e-12);
    }

    [Fact]
    public void The_log_likelihood_is_the_mean_logarithm_of_the_density() =>
        Gen.Float[-5, 5].Array[3, 50].Where(a => a.Distinct().Count() > 2).Sample(sample =>
        {
            foreach (DensityFit fit in (DensityFit[])[DensityFit.Gaussian(sample), DensityFit.Laplace(sample)])
            {
                Assert.Equal(sample.Average(x => Math.Log(fit.Density(x))), fit.LogLikelihood, 1e-9);
            }
        }, iter: 200);

    [Fact]
    public void Each_distribution_is_fitted_best_by_itself()
    {
        Random random = new(1);
        double Exponential() => -Math.Log(1 - random.NextDouble());
        float[] laplace = [.. Enumerable.Range(0, 5000).Select(_ => (float)(Exponential() - Exponential()))];
        float[] gaussian = [.. Enumerable.Range(0, 5000).Select(_ => (float)(Math.Sqrt(2 * Exponential()) * Math.Cos(2 * Math.PI * random.NextDouble())))];

        Assert.True(DensityFit.Laplace(laplace).LogLikelihood > DensityFit.Gaussian(laplace).LogLikelihood + 0.05);
        Assert.True(DensityFit.Gaussian(gaussian).LogLikelihood > DensityFit.Laplace(gaussian).LogLikelihood + 0.03);
    }

    [Theory]
    [InlineData(LayerKind.Adder)]
    [InlineData(LayerKind.Conv)]
    public void A_layers_filters_are_found_by_its_name(LayerKind kind)
    {
        using var model = AdderNetModels.Create("lenet5-bn", kind);
        Filters filters = Filters.Of(model, "conv3");
        Assert.Equal((120, 16, 5, 5), (filters.Out, filters.In, filters.Rows, filters.Columns));
        Assert.Equal(120 * 16 * 25, filters.Values.Length);
    }

    [Fact]
    public void A_grid_shows_each_filter_as_a_tile_in_units_of_the_root_mean_square()
    {
        // Three 1x2 filters: root mean square 2.
        Filters filters = new([2, -2, 0, 2, 4 / MathF.Sqrt(2), -2 * MathF.Sqrt(1)], 3, 1, 1, 2);
        double rms = Math.Sqrt((4 + 4 + 0 + 4 + 8 + 4) / 6.0), gap = double.NaN;
        Assert.Equal(rms, filters.Rms, 1e-6);

        double[,] grid = filters.Grid(tilesInRow: 2, zoom: 1);

        double[,] expected = { { 2 / rms, -2 / rms, gap, 0, 2 / rms }, { gap, gap, gap, gap, gap }, { 4 / Math.Sqrt(2) / rms, -2 / rms, gap, gap, gap } };
        Assert.Equal((3, 5), (grid.GetLength(0), grid.GetLength(1)));
        Assert.All(expected.Cast<double>().Zip(grid.Cast<double>()), p => Assert.Equal(p.First, p.Second, 1e-6));
        Assert.Equal((6, 10), (filters.Grid(2, zoom: 2).GetLength(0), filters.Grid(2, zoom: 2).GetLength(1)));
    }
}
