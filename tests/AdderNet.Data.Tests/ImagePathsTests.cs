namespace AdderNet.Data.Tests;

public sealed class ImagePathsTests : IDisposable
{
    private readonly TempFolder folder = new();

    public void Dispose() => folder.Dispose();

    [Theory]
    [InlineData("*.jpg", "[1].jpg a.jpg b.jpg")]
    [InlineData("*", "*.txt [1].jpg a.jpg b.jpg sub/c.jpg sub/deep/d.PNG")]
    [InlineData("?.jpg", "a.jpg b.jpg")]
    [InlineData("[ac].jpg", "a.jpg")]
    [InlineData("[!a].jpg", "b.jpg")]
    [InlineData("[a-z].jpg", "a.jpg b.jpg")]
    [InlineData("[1].jpg", "[1].jpg")]
    [InlineData("*.txt", "*.txt")]
    [InlineData("s*/*.jpg", "sub/c.jpg")]
    [InlineData("**/*.jpg", "[1].jpg a.jpg b.jpg sub/c.jpg")]
    [InlineData("**/*.PNG", "sub/deep/d.PNG")]
    [InlineData("sub/**", "sub/c.jpg sub/deep/d.PNG sub/e.txt")]
    [InlineData(".h*", ".hidden.jpg")]
    [InlineData("sub", "sub/c.jpg sub/deep/d.PNG")]
    public void An_argument_stands_for_what_a_shell_would_give(string argument, string expected)
    {
        Fill();
        string[] found = [.. ImagePaths.Find(Path.Combine(folder.Path, argument)).Select(p => Path.GetRelativePath(folder.Path, p))];
        Assert.Equal(expected, string.Join(' ', found.Order(StringComparer.Ordinal)));
    }

    [Fact]
    public void What_stands_for_nothing_is_told()
    {
        Fill();
        Refused.Says(() => ImagePaths.Find(""), "empty path");
        Refused.Says(() => ImagePaths.Find(folder["none.jpg"]), "does not exist");
        Refused.Says(() => ImagePaths.Find(folder["*.gif"]), "No file matches");
        Refused.Says(() => ImagePaths.Find(folder["none/*.jpg"]), "No file matches");
        Refused.Says(() => ImagePaths.Find(folder["texts"]), folder["texts"], "holds no image", "only 1 other file");
        Assert.Equal("No file matches [z.jpg; check the pattern.", Assert.Throws<DataException>(() => ImagePaths.Find("[z.jpg")).Message);
    }

    [Fact]
    public void Links_that_loop_are_not_followed_for_ever()
    {
        Fill();
        Directory.CreateSymbolicLink(folder["sub/loop"], folder.Path);
        Directory.CreateSymbolicLink(folder["sub/self"], folder["sub/self"]);
        Assert.Equal(["sub/c.jpg", "sub/deep/d.PNG", "sub/loop/[1].jpg", "sub/loop/a.jpg", "sub/loop/b.jpg"],
            ImagePaths.Find(folder["sub"]).Select(p => Path.GetRelativePath(folder.Path, p)));
        Assert.Equal(["a.jpg"], ImagePaths.Find(folder["**/a.jpg"]).Select(p => Path.GetRelativePath(folder.Path, p)));
    }

    private void Fill()
    {
        foreach (string name in new[] { "a.jpg", "b.jpg", "[1].jpg", "*.txt", ".hidden.jpg", "sub/c.jpg", "sub/e.txt", "sub/deep/d.PNG", "sub/.secret/e.jpg", "texts/a.md" })
        {
            folder.Write(name, [1]);
        }
    }
}
