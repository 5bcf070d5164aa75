namespace AdderNet.Models;

/// <summary>One of the maps on which a detector finds objects: those of a range of sizes.</summary>
/// <param name="Stride">Pixels of the image from one place of the map to the next.</param>
/// <param name="Least">Least distance in pixels from a place to the farthest edge of its object (FCOS's m).</param>
/// <param name="Most">Largest such distance.</param>
public sealed record DetectionLevel(int Stride, double Least, double Most);
