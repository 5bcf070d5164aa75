using System.Text.Json;
using System.Text.RegularExpressions;
using AdderNet.Export.Web;
using AdderNet.Graph;

namespace AdderNet.Export.Tests;

public class WebTests
{
    [Theory]
    [InlineData(1, 7)]
    [InlineData(2, 4)]
    [InlineData(3, 8)]
    public void The_page_gives_the_references_integers_in_a_browser(int seed, int bits)
    {
        string chromium = Tool.Find("chromium", "chromium");
        NetworkGraph graph = QuantizedNetworks.Everything(seed, bits);
        using TempFolder folder = new();
        WebExporter.Export(graph, folder.Path);

        string page = Tool.Run(
            folder.Path, chromium, "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
            $"--user-data-dir={folder["profile"]}", "--dump-dom", $"file://{folder["index.html"]}#test");
        string json = Regex.Match(page, "<pre id=\"test\" hidden=\"\">(.*?)</pre>").Groups[1].Value;
        Assert.True(json.Length > 0, page);
        using JsonDocument result = JsonDocument.Parse(json);

        byte[] pixels = Noise(graph.Inputs[0].Shape.Count);
        Assert.Equal(
            CTests.Scores(graph, pixels),
            result.RootElement.GetProperty("scores").EnumerateArray().Select(score => (float)score.GetInt32()));
        Assert.True(result.RootElement.GetProperty("same").GetBoolean());
    }

    [Fact]
    public void The_folder_needs_no_server()
    {
        using TempFolder folder = new();
        WebExporter.Export(QuantizedNetworks.Everything(1), folder.Path);

        string[] files = [.. Directory.GetFiles(folder.Path).Select(Path.GetFileName).Order(StringComparer.Ordinal)!];
        Assert.Equal(["app.js", "engine.js", "index.html", "model.js", "style.css"], files);
        foreach (string file in files)
        {
            // A page from disk may neither fetch nor import, and nothing may come from elsewhere.
            string text = File.ReadAllText(folder[file]);
            Assert.DoesNotMatch(@"\bfetch\(|\bimport\b|type=""module""|XMLHttpRequest|src=""http|href=""http|url\(http", text);
        }
    }

    [Fact]
    public void A_float_network_is_refused_and_leaves_nothing()
    {
        using TempFolder folder = new();
        string target = Path.Combine(folder.Path, "new");

        var refused = Assert.Throws<GraphException>(() => WebExporter.Export(CTests.FloatNetwork(), target));
        Assert.Contains("quantize it first", refused.Message);
        Assert.False(Directory.Exists(target));
    }

    /// <summary>The image of noise that the page makes by itself.</summary>
    internal static byte[] Noise(int count)
    {
        byte[] pixels = new byte[count];
        uint state = 1;
        for (int i = 0; i < count; i++)
        {
            state = unchecked(state * 1664525 + 1013904223);
            pixels[i] = (byte)(state >> 24);
        }

        return pixels;
    }
}
