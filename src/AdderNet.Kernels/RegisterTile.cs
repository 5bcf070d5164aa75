namespace AdderNet.Kernels;

/// <summary>The size of a register tile: so many rows (pixels, or output channels) times so many vectors.</summary>
internal interface ITileSize
{
    static abstract int Rows { get; }

    static abstract int Vectors { get; }
}

internal readonly struct Tile8x1 : ITileSize
{
    public static int Rows => 8;

    public static int Vectors => 1;
}

internal readonly struct Tile6x1 : ITileSize
{
    public static int Rows => 6;

    public static int Vectors => 1;
}

internal readonly struct Tile4x1 : ITileSize
{
    public static int Rows => 4;

    public static int Vectors => 1;
}

internal readonly struct Tile2x1 : ITileSize
{
    public static int Rows => 2;

    public static int Vectors => 1;
}

internal readonly struct Tile1x1 : ITileSize
{
    public static int Rows => 1;

    public static int Vectors => 1;
}

internal readonly struct Tile6x2 : ITileSize
{
    public static int Rows => 6;

    public static int Vectors => 2;
}

internal readonly struct Tile5x2 : ITileSize
{
    public static int Rows => 5;

    public static int Vectors => 2;
}

internal readonly struct Tile4x2 : ITileSize
{
    public static int Rows => 4;

    public static int Vectors => 2;
}

internal readonly struct Tile2x2 : ITileSize
{
    public static int Rows => 2;

    public static int Vectors => 2;
}

internal readonly struct Tile1x2 : ITileSize
{
    public static int Rows => 1;

    public static int Vectors => 2;
}

internal readonly struct Vectors1 : ITileSize
{
    public static int Rows => 1;

    public static int Vectors => 1;
}

internal readonly struct Vectors2 : ITileSize
{
    public static int Rows => 1;

    public static int Vectors => 2;
}

internal readonly struct Vectors3 : ITileSize
{
    public static int Rows => 1;

    public static int Vectors => 3;
}

internal readonly struct Vectors4 : ITileSize
{
    public static int Rows => 1;

    public static int Vectors => 4;
}

internal readonly struct Vectors5 : ITileSize
{
    public static int Rows => 1;

    public static int Vectors => 5;
}

internal readonly struct Vectors6 : ITileSize
{
    public static int Rows => 1;

    public static int Vectors => 6;
}

internal readonly struct Vectors7 : ITileSize
{
    public static int Rows => 1;

    public static int Vectors => 7;
}

internal readonly struct Vectors8 : ITileSize
{
    public static int Rows => 1;

    public static int Vectors => 8;
}

internal readonly struct Vectors9 : ITileSize
{
    public static int Rows => 1;

    public static int Vectors => 9;
}

internal readonly struct Vectors10 : ITileSize
{
    public static int Rows => 1;

    public static int Vectors => 10;
}

internal readonly struct Vectors11 : ITileSize
{
    public static int Rows => 1;

    public static int Vectors => 11;
}

internal readonly struct Vectors12 : ITileSize
{
    public static int Rows => 1;

    public static int Vectors => 12;
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
