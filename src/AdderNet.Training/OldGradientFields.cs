namespace AdderNet.Training;

/// <summary>How recipes said what is done to gradients before there was one list of it.</summary>
internal sealed record OldGradientFields(bool? Centralization = null, OldGradientFields.Kind? Scaling = null, double? Eta = null, double? Factor = null)
{
    public enum Kind
    {
        Adaptive,
        Increased,
        None,
    }

    /// <summary>The list that means the same.</summary>
    public IReadOnlyList<GradientTransform> Transforms =>
    [
        .. Centralization == true ? (GradientTransform[])[new GradientCentralization()] : [],
        .. Scaling switch
        {
            Kind.Increased => (GradientTransform[])[new IncreasedScaling(Factor ?? 100)],
            Kind.None => [],
            _ => [new AdaptiveScaling(Eta ?? 0.2)],
        },
    ];
}
