using System.Text;
using System.Text.Json;
using AdderNet.Checkpoints;
using AdderNet.Graph;

namespace AdderNet.Export.Web;

/// <summary>
/// Writes a quantized network as a page that opens from disk: plain scripts beside it, the weights within one of them, no server and no
/// build step.
/// </summary>
public static class WebExporter
{
    /// <summary>Writes index.html, style.css, app.js, engine.js and model.js.</summary>
    /// <param name="graph">The network, quantized from its one input to its one output; the input is an image.</param>
    /// <param name="folder">The folder to create or to replace these files in.</param>
    /// <exception cref="GraphException">The network is not quantized, or has a node that the page does not know.</exception>
    /// <exception cref="CheckpointException">A file cannot be written.</exception>
    public static void Export(NetworkGraph graph, string folder)
    {
        ArgumentException.ThrowIfNullOrEmpty(folder);
        ShippedNetwork network = ShippedNetwork.Of(graph);
        if (!network.IsQuantized)
        {
            throw new GraphException("The page runs quantized networks, and this one computes in float32; quantize it first.");
        }

        ExportFolder files = new();
        files.Add("model.js", $"const MODEL = {Model(network)};\n");
        foreach (string name in (string[])["index.html", "style.css", "app.js", "engine.js"])
        {
            files.AddResource(name, $"Web/{name}");
        }

        files.Write(folder);
    }

    private static string Model(ShippedNetwork network)
    {
        using MemoryStream stream = new();
        using (Utf8JsonWriter json = new(stream))
        {
            NetworkMetadata metadata = network.Graph.Metadata;
            json.WriteStartObject();
            json.WriteString("title", metadata.Model is { } model ? $"AdderNet: {model}" : "AdderNet");
            json.WriteString("dataset", metadata.Dataset ?? "");
            json.WriteBoolean("digits", metadata.Dataset is "mnist");
            json.WriteStartArray("classes");
            for (int i = 0; i < network.Classes; i++)
            {
                json.WriteStringValue(network.ClassName(i));
            }

            json.WriteEndArray();
            json.WriteStartObject("preparation");
            PictureFrame frame = network.Frame();
            json.WriteStartObject("cover");
            json.WriteNumber("height", frame.Height.Covered);
            json.WriteNumber("width", frame.Width.Covered);
            json.WriteEndObject();
            json.WriteNumber("top", frame.Height.Start);
            json.WriteNumber("left", frame.Width.Start);
            json.WriteNumber("rows", frame.Height.Length);
            json.WriteNumber("columns", frame.Width.Length);
            json.WriteEndObject();
            End(json, "input", network.First);
            End(json, "output", network.Last);
            json.WriteStartArray("pixelValues");
            foreach (float[] table in network.PixelValues())
            {
                json.WriteStartArray();
                foreach (float value in table)
                {
                    json.WriteNumberValue(network.First.Grid!.Code(value));
                }

                json.WriteEndArray();
            }

            json.WriteEndArray();
            Array(json, "testScores", network.Scores(network.TestPixels()).Select(score => (long)score));
            json.WriteStartArray("nodes");
            foreach (GraphNode node in network.Steps)
            {
                json.WriteStartObject();
                Node(json, node);
                json.WriteEndObject();
            }

            json.WriteEndArray();
            json.WriteEndObject();
        }

        return Encoding.UTF8.GetString(stream.ToArray());
    }

    private static void Node(Utf8JsonWriter json, GraphNode node)
    {
        json.WriteString("name", node.Name);
        json.WriteStartArray("inputs");
        foreach (string input in node.Inputs)
        {
            json.WriteStringValue(input);
        }

        json.WriteEndArray();
        Common(json, node);
        switch (node)
        {
            case QuantizedLayerNode layer:
                json.WriteString("kind", layer is QuantizedAdderNode ? "adder" : "convolution");
                json.WriteNumber("groups", layer.Groups);
                Grid(json, "inputGrid", layer.InputGrid);
                Window(json, layer.Window);
                Tensor(json, "filters", layer.Filters);
                long[] offset = layer.Epilogue.RoundingOffsets();
                json.WriteStartObject("epilogue");
                Tensor(json, "multiplier", layer.Epilogue.Multiplier);
                if (layer.Epilogue.ResidualMultiplier is { } residual)
                {
                    Tensor(json, "residual", residual);
                }

                Array(json, "shift", layer.Epilogue.Shift.ToInt32s().Select(v => (long)v));
                Array(json, "offsetHigh", offset.Select(v => v >> 16));
                Array(json, "offsetLow", offset.Select(v => v & 65535));
                json.WriteEndObject();
                break;
            case MaxPoolNode pool:
                json.WriteString("kind", "max-pool");
                Window(json, pool.Window);
                break;
            case RequantizeNode r:
                json.WriteString("kind", "requantize");
                json.WriteNumber("multiplier", r.Multiplier);
                json.WriteNumber("shift", r.Shift);
                json.WriteNumber("offsetHigh", r.RoundingOffset >> 16);
                json.WriteNumber("offsetLow", r.RoundingOffset & 65535);
                break;
            case GlobalSumNode:
                json.WriteString("kind", "global-sum");
                break;
            case ConcatenateNode:
                json.WriteString("kind", "concatenate");
                break;
            case FlattenNode:
                json.WriteString("kind", "flatten");
                break;
            case ChannelShuffleNode shuffle:
                json.WriteString("kind", "channel-shuffle");
                json.WriteNumber("groups", shuffle.Groups);
                break;
            case SelectChannelsNode select:
                json.WriteString("kind", "select-channels");
                Array(json, "channels", select.Channels.Select(c => (long)c));
                break;
            case ShiftNode shift:
                json.WriteString("kind", "shift");
                Array(json, "rows", shift.Rows.Select(row => (long)row));
                Array(json, "columns", shift.Columns.Select(column => (long)column));
                break;
            default:
                throw new GraphException($"The page does not know the node '{node.Name}', a {node.GetType().Name}.");
        }
    }

    private static void End(Utf8JsonWriter json, string name, GraphNode node)
    {
        json.WriteStartObject(name);
        json.WriteString("name", node.Name);
        Common(json, node);
        json.WriteEndObject();
    }

    private static void Common(Utf8JsonWriter json, GraphNode node)
    {
        Array(json, "shape", [node.Shape.Channels, node.Shape.Height, node.Shape.Width]);
        Grid(json, "grid", node.Grid!);
    }

    private static void Grid(Utf8JsonWriter json, string name, Grid grid)
    {
        json.WriteStartObject(name);
        json.WriteNumber("step", grid.Step);
        json.WriteNumber("bits", grid.Bits);
        json.WriteNumber("zero", grid.Zero);
        json.WriteNumber("top", grid.Top);
        json.WriteEndObject();
    }

    private static void Window(Utf8JsonWriter json, WindowGeometry w)
    {
        json.WriteStartObject("window");
        Array(json, "kernel", [w.KernelH, w.KernelW]);
        Array(json, "stride", [w.StrideH, w.StrideW]);
        Array(json, "padding", [w.PaddingH, w.PaddingW]);
        Array(json, "dilation", [w.DilationH, w.DilationW]);
        json.WriteEndObject();
    }

    private static void Tensor(Utf8JsonWriter json, string name, TensorData tensor)
    {
        json.WriteStartObject(name);
        json.WriteString("type", tensor.Dtype switch { TensorDtype.U8 => "u8", TensorDtype.I8 => "i8", _ => "i32" });
        json.WriteBase64String("data", tensor.Data.Span);
        json.WriteEndObject();
    }

    private static void Array(Utf8JsonWriter json, string name, IEnumerable<long> values)
    {
        json.WriteStartArray(name);
        foreach (long value in values)
        {
            json.WriteNumberValue(value);
        }

        json.WriteEndArray();
    }
}
