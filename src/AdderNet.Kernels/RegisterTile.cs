namespace AdderNet.Kernels;

/// <summary>The size of a register tile: so many pixels times so many vectors of channels.</summary>
internal interface ITileSize
{
    static abstract int Pixels { get; }

    static abstract int Vectors { get; }
}

internal readonly struct Pixels8 : ITileSize
{
    public static int Pixels => 8;

    public static int Vectors => 1;
}

internal readonly struct Pixels4 : ITileSize
{
    public static int Pixels => 4;

    public static int Vectors => 1;
}

internal readonly struct Pixels5Vectors2 : ITileSize
{
    public static int Pixels => 5;

    public static int Vectors => 2;
}

internal readonly struct Pixels2Vectors2 : ITileSize
{
    public static int Pixels => 2;

    public static int Vectors => 2;
}

/// <summary>Which form of a sum an inner loop computes.</summary>
internal interface IForm
{
    /// <summary>The formula as it stands, rather than a cheaper one that differs in a side sum.</summary>
    static abstract bool Plain { get; }
}

internal readonly struct FastForm : IForm
{
    public static bool Plain => false;
}

internal readonly struct PlainForm : IForm
{
    public static bool Plain => true;
}
