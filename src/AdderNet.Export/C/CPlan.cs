using AdderNet.Graph;

namespace AdderNet.Export.C;

/// <summary>
/// A value in memory: planes with the border that the layers which read it want, so that no loop asks where a window ends. The border holds
/// the code of 0.
/// </summary>
/// <param name="Shape">Its size without the border.</param>
/// <param name="Type">Its elements.</param>
/// <param name="BorderH">Rows above and below.</param>
/// <param name="BorderW">Columns left and right.</param>
/// <param name="Zero">What the border holds.</param>
internal sealed record CValue(FeatureShape Shape, CType Type, int BorderH, int BorderW, int Zero)
{
    public int Pitch => Shape.Width + 2 * BorderW;

    public int Plane => checked((Shape.Height + 2 * BorderH) * Pitch);

    public int Length => checked(Shape.Channels * Plane);

    public bool HasBorder => BorderH + BorderW > 0;

    /// <summary>Where it starts in its type's arena; the plan says.</summary>
    public long Offset { get; set; }

    /// <summary>The index of an element, given the C of its channel, row and column.</summary>
    public string At(string channel = "c", string row = "row", string column = "col") =>
        $"{Term(channel, Plane)} + {Term(row, Pitch)} + {column}{IntegerLayers.Plus(Corner(BorderH, BorderW))}";

    /// <summary>Where the window of the first output element starts that has so much padding.</summary>
    public int Corner(int rows, int columns) => rows * Pitch + columns;

    /// <summary>The pointer to its memory.</summary>
    public string Pointer => Offset == 0 ? Type.Arena : $"{Type.Arena} + {CWriter.Invariant(Offset)}";

    private static string Term(string index, int factor) =>
        (index.Contains(' ', StringComparison.Ordinal) ? $"({index})" : index) + IntegerLayers.Times(factor);
}

/// <summary>A step: a C function that reads values and writes one.</summary>
/// <param name="Node">What it computes.</param>
/// <param name="Inputs">What it reads.</param>
/// <param name="Output">What it writes.</param>
/// <param name="MakesBits">Whether it is the first half of a binary layer: the layer's input as bits.</param>
internal sealed record CStep(GraphNode Node, IReadOnlyList<CValue> Inputs, CValue Output, bool MakesBits = false);

/// <summary>The steps of a network and where their values lie: an arena for each type, which values needed at other times share.</summary>
/// <param name="Input">What the caller's input is copied into.</param>
/// <param name="Steps">The steps in order.</param>
/// <param name="Output">Whose elements are the scores.</param>
/// <param name="Arenas">Elements of each type's arena.</param>
internal sealed record CPlan(CValue Input, IReadOnlyList<CStep> Steps, CValue Output, IReadOnlyDictionary<CType, long> Arenas)
{
    public static CPlan Of(ShippedNetwork network)
    {
        Dictionary<string, CValue> values = new() { [network.First.Name] = Value(network.First) };
        List<CStep> steps = [];
        foreach (GraphNode node in network.Steps)
        {
            List<CValue> inputs = [.. node.Inputs.Select(input => values[input])];
            if (node is BinaryConvolutionNode binary)
            {
                CValue bits = new(inputs[0].Shape, CType.Float, binary.Window.PaddingH, binary.Window.PaddingW, 0);
                steps.Add(new CStep(node, [inputs[0]], bits, MakesBits: true));
                inputs[0] = bits;
            }

            values[node.Name] = Value(node);
            steps.Add(new CStep(node, inputs, values[node.Name]));
        }

        CValue input = values[network.First.Name], output = values[network.Last.Name];
        return new CPlan(input, steps, output, Place(input, steps, output));

        CValue Value(GraphNode node)
        {
            IEnumerable<GraphNode> readers = network.Graph.Nodes.Where(reader => reader.Inputs is [string first, ..] && first == node.Name);
            WindowGeometry[] windows = [.. readers.Select(reader => reader switch
            {
                BinaryConvolutionNode => null,
                FilterNode layer => layer.Window,
                QuantizedLayerNode layer => layer.Window,
                _ => null,
            }).OfType<WindowGeometry>()];
            return new CValue(
                node.Shape, CType.Of(node.Grid?.CodeBytes), windows.Select(w => w.PaddingH).DefaultIfEmpty().Max(),
                windows.Select(w => w.PaddingW).DefaultIfEmpty().Max(), node.Grid?.Zero ?? 0);
        }
    }

    // Step 0 copies the input, step i + 1 is steps[i], and the last copies the scores.
    private static Dictionary<CType, long> Place(CValue input, List<CStep> steps, CValue output)
    {
        Dictionary<CValue, (int First, int Last)> lives = new(ReferenceEqualityComparer.Instance) { [input] = (0, 0) };
        for (int i = 0; i < steps.Count; i++)
        {
            lives[steps[i].Output] = (i + 1, i + 1);
            foreach (CValue read in steps[i].Inputs)
            {
                lives[read] = (lives[read].First, i + 1);
            }
        }

        lives[output] = (lives[output].First, steps.Count + 1);
        Dictionary<CType, long> arenas = [];
        foreach (IGrouping<CType, CValue> group in lives.Keys.GroupBy(value => value.Type))
        {
            CValue[] placed = [.. group];
            ArenaPlan plan = ArenaPlan.Place([.. placed.Select(v => new Lifetime(v.Length, lives[v].First, lives[v].Last))]);
            for (int i = 0; i < placed.Length; i++)
            {
                placed[i].Offset = plan.Offsets[i];
            }

            arenas[group.Key] = plan.Length;
        }

        return arenas;
    }
}
