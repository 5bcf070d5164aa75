// DOC
using AdderNet.Graph;
// END

namespace AdderNet.Inference.Tests;

/// <summary>The example of docs/quantization.md.</summary>
public class QuantizationExample
{
    [Fact]
    public void One_filter_by_hand_is_off_by_a_step_a_tap_at_most()
    {
        // DOC
        float[] x = [0f, 0.4f, 1.1f, 2.9f];      // what a ReLU gives: from 0 to M = 3
        float[] w = [-3f, 0.7f, 5f, 1.2f];       // a filter, which may be anywhere
        Grid grid = Grid.To(3, bits: 6);         // one grid for both: steps of 3/63

        double constant = w.Sum(v => Math.Abs(v - Math.Clamp(v, 0f, 3f)));                   // 3 + 2: what lies outside
        int distance = x.Zip(w, (a, b) => Math.Abs(grid.Code(a) - grid.Code(b))).Sum();      // integers alone
        double quantized = -(constant + grid.Step * distance);

        double exact = -x.Zip(w, (a, b) => (double)Math.Abs(a - b)).Sum();
        double error = Math.Abs(quantized - exact);   // half a step for each x, half for each w, at most
        // END
        Assert.Equal(5, constant, 1e-6);
        Assert.InRange(error, 0, x.Length * grid.Step);
        Assert.Equal(0, grid.Code(-3));
        Assert.Equal(63, grid.Code(5));
    }

    [Fact]
    public void The_example_of_the_document_is_the_one_that_is_tested()
    {
        string document = File.ReadAllText(Path.Combine(AppContext.BaseDirectory, "quantization.md"));
        string block = document.Split("```csharp\n")[1].Split("```")[0];
        List<string> tested = [];
        bool inside = false;
        foreach (string line in File.ReadAllLines(Path.Combine(AppContext.BaseDirectory, "QuantizationExample.cs")).Select(l => l.Trim()))
        {
            if (line is "// DOC" or "// END")
            {
                inside = line == "// DOC";
            }
            else if (inside)
            {
                tested.Add(line);
            }
        }

        Assert.Equal(Lines(tested), Lines(block.Split('\n')));

        static IEnumerable<string> Lines(IEnumerable<string> text) => text.Select(l => l.Trim()).Where(l => l.Length > 0);
    }
}
