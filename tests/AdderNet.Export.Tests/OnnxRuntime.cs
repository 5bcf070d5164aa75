using AdderNet.Graph;
using Microsoft.ML.OnnxRuntime;
using Microsoft.ML.OnnxRuntime.Tensors;

namespace AdderNet.Export.Tests;

/// <summary>Runs ONNX files in ONNX Runtime.</summary>
internal static class OnnxRuntime
{
    public static byte[] Bytes(NetworkGraph graph)
    {
        using MemoryStream stream = new();
        OnnxFile.Save(graph, stream);
        return stream.ToArray();
    }

    /// <summary>The outputs by name for some images for each input.</summary>
    public static Dictionary<string, float[]> Run(byte[] model, NetworkGraph graph, IReadOnlyDictionary<string, float[]> images)
    {
        using SessionOptions options = new() { LogSeverityLevel = OrtLoggingLevel.ORT_LOGGING_LEVEL_ERROR, IntraOpNumThreads = 1 };
        using InferenceSession session = new(model, options);
        List<NamedOnnxValue> inputs = [];
        foreach (InputNode input in graph.Inputs)
        {
            int[] shape = [images[input.Name].Length / input.Shape.Count, .. input.Shape.Sizes.Select(size => (int)size)];
            inputs.Add(NamedOnnxValue.CreateFromTensor(input.Name, new DenseTensor<float>(images[input.Name], shape)));
        }

        using var results = session.Run(inputs);
        return results.ToDictionary(result => result.Name, result => result.AsTensor<float>().ToArray());
    }

    /// <summary>Asserts that ONNX Runtime gives what the plain interpreter gives, for two images at once.</summary>
    public static void AssertRunsAlike(NetworkGraph graph)
    {
        IReadOnlyDictionary<string, float[]>[] images = [Graphs.Images(graph, seed: 2), Graphs.Images(graph, seed: 3)];

        Dictionary<string, float[]> actual = Run(
            Bytes(graph), graph, graph.Inputs.ToDictionary(input => input.Name, input => images.SelectMany(i => i[input.Name]).ToArray()));

        var expected = images.Select(image => ReferenceInterpreter.Run(graph, image)).ToArray();
        Assert.Equal(graph.Outputs.Select(output => output.Name), actual.Keys);
        Assert.All(graph.Outputs, output => Networks.AssertClose([.. expected.SelectMany(e => e[output.Name])], actual[output.Name], 1e-4));
    }
}
