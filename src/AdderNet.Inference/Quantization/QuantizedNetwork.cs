using AdderNet.Graph;

namespace AdderNet.Inference;

/// <summary>A network on integer codes, and how each of its layers came out.</summary>
/// <param name="Graph">The network; the engine runs it, and its file is shipped.</param>
/// <param name="Layers">Its layers in order.</param>
public sealed record QuantizedNetwork(NetworkGraph Graph, IReadOnlyList<QuantizedLayer> Layers);

/// <summary>How a layer came out of quantization.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Bits">Bits of an adder layer's inputs and filters; 8 for a convolution's weights.</param>
/// <param name="Range">The largest input that has a code of its own; what is larger is taken for it.</param>
/// <param name="Rule">How the range was chosen.</param>
/// <param name="Skipped">The share of an adder layer's weights that cost nothing, 0 to 1.</param>
/// <param name="Plain">The share of weights that are plain sums of inputs.</param>
/// <param name="Compared">The share of weights that cost a comparison.</param>
/// <param name="Error">Root mean square of what its output (before a ReLU) is off from the float network's, relative to that output's
/// standard deviation; errors of all layers before it are in it.</param>
public sealed record QuantizedLayer(
    string Name, int Bits, double Range, string Rule, double Skipped, double Plain, double Compared, double Error);
