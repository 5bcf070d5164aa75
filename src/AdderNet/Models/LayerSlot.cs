namespace AdderNet.Models;

/// <summary>Where in a network a layer stands.</summary>
public enum LayerPosition
{
    /// <summary>The layer that sees the image.</summary>
    First,

    /// <summary>A layer between.</summary>
    Inner,

    /// <summary>The classifier.</summary>
    Last,
}

/// <summary>A place for a layer in a network: the layer of any kind that stands there has these sizes.</summary>
/// <param name="Name">Its name in the state_dict, e.g. <c>layer1.0.conv1</c>.</param>
/// <param name="Position">Where it stands.</param>
/// <param name="InChannels">Channels of the input [N, InChannels, H, W].</param>
/// <param name="OutChannels">Channels of the output.</param>
/// <param name="KernelSize">Rows and columns of a filter.</param>
/// <param name="Stride">Pixels from one window to the next.</param>
/// <param name="Padding">Pixels of zeros on each side.</param>
/// <param name="Groups">Groups of channels that see only each other.</param>
/// <param name="Bias">Whether a learned value is added to each output channel.</param>
public sealed record LayerSlot(
    string Name, LayerPosition Position, long InChannels, long OutChannels, long KernelSize, long Stride = 1, long Padding = 0, long Groups = 1,
    bool Bias = false)
{
    /// <summary>Whether each output channel sees one input channel.</summary>
    public bool IsDepthwise => Groups > 1 && Groups == InChannels;

    /// <summary>The last part of the name: what the module that holds the layer calls it.</summary>
    internal string LocalName => Name[(Name.LastIndexOf('.') + 1)..];
}
