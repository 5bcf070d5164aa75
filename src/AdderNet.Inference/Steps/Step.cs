using AdderNet.Graph;

namespace AdderNet.Inference.Steps;

/// <summary>What is done for one node of a fused graph, with all that can be prepared beforehand. It never changes, and any number of frames use it at once.</summary>
internal abstract class Step(Value[] inputs, Value output)
{
    /// <summary>What it reads.</summary>
    public Value[] Inputs { get; } = inputs;

    /// <summary>What it writes.</summary>
    public Value Output { get; } = output;

    /// <summary>Bytes of its weights as it keeps them.</summary>
    public virtual long WeightBytes => 0;

    /// <summary>Computes the images that are in flight.</summary>
    public abstract void Run(Frame frame);

    /// <summary>The step of a node.</summary>
    /// <param name="node">The node.</param>
    /// <param name="inputs">What it reads.</param>
    /// <param name="output">What it writes.</param>
    /// <param name="packed">Weights of the network's convolutions.</param>
    /// <exception cref="InferenceException">The engine does not know the node.</exception>
    public static Step Of(GraphNode node, Value[] inputs, Value output, PackedWeights packed) => node switch
    {
        QuantizeNode => new QuantizeStep(node.Grid!, inputs, output),
        DequantizeNode dequantize => new DequantizeStep(dequantize.InputGrid, inputs, output),
        RequantizeNode requantize => new RequantizeStep(requantize, inputs, output),
        QuantizedAdderNode adder => new QuantizedAdderStep(adder, inputs, output),
        QuantizedConvolutionNode convolution => new QuantizedConvolutionStep(convolution, inputs, output, packed),
        QuantizedAddNode add => new QuantizedAddStep(add, inputs, output),
        GlobalSumNode => new GlobalSumStep(inputs, output),
        MaxPoolNode pool when output.IsBytes => new CodeMaxPoolStep(pool.Window, inputs, output),
        UpsampleNode upsample when output.IsBytes => new CodeUpsampleStep(upsample.Factor, inputs, output),
        FlattenNode when output.IsBytes => new CodeFlattenStep(inputs, output),
        ConcatenateNode or ChannelShuffleNode or SelectChannelsNode or ShiftNode when output.IsBytes =>
            new CodeChannelsStep(ChannelSource.Of(node, inputs), inputs, output),
        { Grid: not null } => throw new InferenceException(
            $"The engine can't run the node '{node.Name}', a {node.GetType().Name}, on integer codes{(output.IsBytes ? "" : $" of {node.Grid.Bits} bits")}."),
        AdderNode adder => new AdderStep(adder, inputs, output),
        ConvolutionNode convolution => new ConvolutionStep(convolution, inputs, output, packed),
        BinaryConvolutionNode binary => new BinaryConvolutionStep(binary, inputs, output),
        LinearNode linear => new LinearStep(linear, inputs, output),
        BatchNormNode norm => new BatchNormStep(norm, inputs, output),
        ReluNode => new MapStep<Relu>(default, inputs, output),
        HardTanhNode clip => new MapStep<Clip>(new Clip(clip.Minimum, clip.Maximum), inputs, output),
        SigmoidNode => new MapStep<Sigmoid>(default, inputs, output),
        AddNode => new AddStep(inputs, output),
        MultiplyNode => new MultiplyStep(inputs, output),
        MaxPoolNode pool => new PoolStep<Largest>(pool.Window, countsPadding: false, inputs, output),
        AveragePoolNode pool => new PoolStep<Mean>(pool.Window, pool.CountsPadding, inputs, output),
        GlobalAveragePoolNode => new GlobalAveragePoolStep(inputs, output),
        ConcatenateNode => new ConcatenateStep(inputs, output),
        UpsampleNode upsample => new UpsampleStep(upsample.Factor, inputs, output),
        ChannelShuffleNode or SelectChannelsNode => new ChannelsStep(ChannelSource.Of(node, inputs), inputs, output),
        ShiftNode shift => new ShiftStep(shift, inputs, output),
        _ => throw new InferenceException($"The engine does not know the node '{node.Name}', a {node.GetType().Name}."),
    };
}
