using Microsoft.ML.OnnxRuntime;

namespace AdderNet.Bench;

/// <summary>ONNX Runtime with a model of one input, ready to be timed: input and output memory are bound once.</summary>
internal sealed class OnnxPeer : IDisposable
{
    private readonly InferenceSession session;
    private readonly RunOptions run = new();
    private readonly OrtIoBinding binding;
    private readonly OrtValue input;

    /// <summary>Loads a model.</summary>
    /// <param name="model">The ONNX file.</param>
    /// <param name="threads">Threads for one call.</param>
    /// <param name="values">The input's memory: float[] or byte[].</param>
    /// <param name="shape">Its shape.</param>
    public OnnxPeer(byte[] model, int threads, Array values, long[] shape)
    {
        using SessionOptions options = new()
        {
            IntraOpNumThreads = threads,
            InterOpNumThreads = 1,
            GraphOptimizationLevel = GraphOptimizationLevel.ORT_ENABLE_ALL,
            LogSeverityLevel = OrtLoggingLevel.ORT_LOGGING_LEVEL_ERROR,
        };
        // Its threads would otherwise go on looking for work after a call, on the processors of what is timed next.
        options.AddSessionConfigEntry("session.force_spinning_stop", "1");
        session = new InferenceSession(model, options);
        input = values is float[] floats ? OrtValue.CreateTensorValueFromMemory(floats, shape) : OrtValue.CreateTensorValueFromMemory((byte[])values, shape);
        binding = session.CreateIoBinding();
        binding.BindInput(session.InputNames[0], input);
        binding.BindOutputToDevice(session.OutputNames[0], OrtMemoryInfo.DefaultInstance);
    }

    /// <summary>The version that is timed.</summary>
    public static string Version => OrtEnv.Instance().GetVersionString();

    /// <summary>Runs the model once.</summary>
    public void Run() => session.RunWithBinding(run, binding);

    /// <summary>What it gave the last time.</summary>
    public float[] Scores()
    {
        using IDisposableReadOnlyCollection<OrtValue> outputs = binding.GetOutputValues();
        return outputs[0].GetTensorDataAsSpan<float>().ToArray();
    }

    public void Dispose()
    {
        binding.Dispose();
        input.Dispose();
        run.Dispose();
        session.Dispose();
    }
}
