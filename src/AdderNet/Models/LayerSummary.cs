namespace AdderNet.Models;

/// <summary>One layer of a model, for one image.</summary>
/// <param name="Name">Its name in the state_dict, e.g. <c>layer1.0.conv1</c>.</param>
/// <param name="Type">Its class, e.g. Adder2d.</param>
/// <param name="Output">Shape of its output, without the batch.</param>
/// <param name="Parameters">Learned values.</param>
/// <param name="Multiplications">Multiplications of the layer's sums.</param>
/// <param name="Additions">Additions and subtractions of the layer's sums.</param>
/// <param name="Xnors">XNORs of the layer's sums: the products of a binary layer.</param>
public sealed record LayerSummary(
    string Name, string Type, IReadOnlyList<long> Output, long Parameters, long Multiplications, long Additions, long Xnors);
