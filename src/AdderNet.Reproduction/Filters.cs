using System.Globalization;
using TorchSharp;
using static TorchSharp.torch;

namespace AdderNet.Reproduction;

/// <summary>A layer's filters [O, C, H, W] as an array.</summary>
internal sealed record Filters(float[] Values, int Out, int In, int Rows, int Columns)
{
    /// <summary>The filters of a convolution or adder layer.</summary>
    /// <param name="model">The model.</param>
    /// <param name="layer">The layer's name in it, such as conv1.</param>
    public static Filters Of(nn.Module model, string layer)
    {
        using var scope = NewDisposeScope();
        Tensor weights = model.named_parameters().First(p => p.name == $"{layer}.adder" || p.name == $"{layer}.weight").parameter.detach().contiguous();
        int[] shape = [.. weights.shape.Select(n => (int)n)];
        return new Filters(weights.data<float>().ToArray(), shape[0], shape[1], shape[2], shape[3]);
    }

    /// <summary>The root of the mean square.</summary>
    public double Rms => Math.Sqrt(Values.Average(v => (double)v * v));

    /// <summary>The filters as one image, in units of their <see cref="Rms"/>: tiles side by side, NaN between them.</summary>
    /// <param name="tilesInRow">Tiles in a row of the image.</param>
    /// <param name="zoom">Pixels, down and across, that show one weight; the gap between tiles is as wide.</param>
    public double[,] Grid(int tilesInRow, int zoom)
    {
        int tiles = Out * In, tileRows = (tiles + tilesInRow - 1) / tilesInRow;
        double rms = Math.Max(Rms, 1e-30);
        double[,] image = new double[((Rows + 1) * tileRows - 1) * zoom, ((Columns + 1) * Math.Min(tiles, tilesInRow) - 1) * zoom];
        for (int y = 0; y < image.GetLength(0); y++)
        {
            for (int x = 0; x < image.GetLength(1); x++)
            {
                var (row, i) = Math.DivRem(y / zoom, Rows + 1);
                var (column, j) = Math.DivRem(x / zoom, Columns + 1);
                int tile = row * tilesInRow + column;
                image[y, x] = i == Rows || j == Columns || tile >= tiles ? double.NaN : Values[(tile * Rows + i) * Columns + j] / rms;
            }
        }

        return image;
    }
}
