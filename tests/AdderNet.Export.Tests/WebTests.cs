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
        NetworkGraph graph = QuantizedNetworks.Everything(seed, bits);
        using TempFolder folder = new();
        WebExporter.Export(graph, folder.Path);

        using JsonDocument result = Open(folder, "index.html#test");

        byte[] pixels = Noise(graph.Inputs[0].Shape.Count);
        Assert.Equal(
            CTests.Scores(graph, pixels),
            result.RootElement.GetProperty("scores").EnumerateArray().Select(score => (float)score.GetInt32()));
        Assert.True(result.RootElement.GetProperty("same").GetBoolean());
    }

    // What the page sees and shows after a picture was given to it, and after one was drawn by the keys.
    private const string Picture = """
        const made = document.createElement("canvas"), context = made.getContext("2d");
        [made.width, made.height] = [width - 2, height - 2];
        const values = Uint8ClampedArray.from({ length: 4 * 7 * 9 }, (_, i) => i % 4 === 3 ? 255 : i * i * 31 + i * 7 & 255);
        context.putImageData(new ImageData(values, 7, 9), 0, 0);
        made.toBlob(async blob => { await open(blob); tellTest(); });
        """;

    private const string Drawing = """
        for (const key of [" ", "ArrowUp", "ArrowUp", "ArrowLeft", "ArrowUp", "ArrowUp"]) {
          pad.dispatchEvent(new KeyboardEvent("keydown", { key }));
        }
        tellTest();
        """;

    [Theory]
    [InlineData(Picture, 3)]
    [InlineData(Drawing, 1)]
    public void Pictures_and_drawings_are_answered_with_the_references_integers(string script, int channels)
    {
        NetworkGraph graph = QuantizedNetworks.Everything(1, channels: channels);
        using TempFolder folder = new();
        WebExporter.Export(graph, folder.Path);

        using JsonDocument result = Try(folder, $$"""
            function tellTest() {
              const rgba = Array.from(view.getImageData(0, 0, width, height).data);
              $("test").textContent = JSON.stringify({
                pixels: rgba.filter((_, i) => i % 4 < channels),
                shown: Array.from(document.querySelectorAll("#classes small"), score => Number(score.textContent.split(" ").at(-1))),
              });
            }
            {{script}}
            """);

        byte[] pixels = [.. result.RootElement.GetProperty("pixels").EnumerateArray().Select(value => value.GetByte())];
        Assert.True(pixels.Distinct().Count() > 1);
        Assert.All(Enumerable.Range(0, 9 * channels), at => Assert.Equal(0, pixels[at]));
        Assert.Equal(
            CTests.Scores(graph, pixels).OrderDescending(),
            result.RootElement.GetProperty("shown").EnumerateArray().Select(score => (float)score.GetInt32()));
        if (channels == 3)
        {
            byte[] given = [.. Enumerable.Range(0, 4 * 63).Where(i => i % 4 < 3).Select(i => (byte)(i * i * 31 + i * 7))];
            Assert.Equal(given, Enumerable.Range(0, 63 * 3).Select(i => pixels[((i / 21 + 1) * 9 + 1) * 3 + i % 21]));
        }
    }

    [Theory]
    [MemberData(nameof(CroppedNetworks.Preparations), MemberType = typeof(CroppedNetworks))]
    public void Pictures_are_placed_as_padding_and_then_cropping_did(int stored, int pad)
    {
        using TempFolder folder = new();
        WebExporter.Export(CroppedNetworks.Quantized(stored, pad), folder.Path);
        byte[] picture = CTests.Pixels(3, stored * stored * 3);

        using JsonDocument result = Try(folder, $$"""
            const given = {{JsonSerializer.Serialize(picture.Select(value => (int)value))}}, made = canvas({{stored}}, {{stored}});
            const rgba = Uint8ClampedArray.from({ length: 4 * {{stored * stored}} }, (_, i) => i % 4 === 3 ? 255 : given[Math.floor(i / 4) * 3 + i % 4]);
            made.getContext("2d").putImageData(new ImageData(rgba, {{stored}}, {{stored}}), 0, 0);
            prepare(made, {{stored}}, {{stored}});
            $("test").textContent = JSON.stringify(Array.from(view.getImageData(0, 0, width, height).data).filter((_, i) => i % 4 < 3));
            """);

        Assert.Equal(CroppedNetworks.Prepared(picture, stored, pad), result.RootElement.EnumerateArray().Select(value => value.GetByte()));
    }

    [Fact]
    public void The_camera_runs_once_and_only_while_its_panel_is_shown()
    {
        using TempFolder folder = new();
        WebExporter.Export(QuantizedNetworks.Everything(1), folder.Path);

        // A browser that lends the camera when it is told to.
        using JsonDocument result = Try(folder, """
            const streams = [], asked = [], settled = () => new Promise(done => setTimeout(done, 50));
            navigator.mediaDevices.getUserMedia = () => new Promise(lend => asked.push(() => {
              streams.push(canvas(9, 9).captureStream());
              lend(streams.at(-1));
            }));
            $("video").play = async () => {};
            const running = () => streams.filter(each => each.getTracks().some(track => track.readyState === "live")).length;
            (async () => {
              select("camera");
              $("camera").click();
              select("picture");
              asked.shift()();
              await settled();
              const left = running();
              select("camera");
              $("camera").click();
              $("camera").click();
              asked.shift()();
              asked.shift()();
              await settled();
              const started = running();
              $("camera").click();
              $("test").textContent = JSON.stringify({ lent: streams.length, left, started, stopped: running() });
            })();
            """);

        Assert.Equal("""{"lent":3,"left":0,"started":1,"stopped":0}""", result.RootElement.GetRawText());
    }

    [Fact]
    public void Whoever_uses_the_keyboard_sees_where_a_picture_is_chosen()
    {
        using TempFolder folder = new();
        WebExporter.Export(QuantizedNetworks.Everything(1), folder.Path);

        using JsonDocument result = Try(folder, """
            select("picture");
            const before = getComputedStyle($("drop")).outlineStyle;
            $("file").focus();
            $("test").textContent = JSON.stringify([before, getComputedStyle($("drop")).outlineStyle]);
            """);

        Assert.Equal("""["none","solid"]""", result.RootElement.GetRawText());
    }

    /// <summary>What the page tells after a script at its end.</summary>
    private static JsonDocument Try(TempFolder folder, string script)
    {
        File.WriteAllText(folder["try.html"], File.ReadAllText(folder["index.html"]).Replace(
            "</body>", $"<script>\n{script}\n</script></body>", StringComparison.Ordinal));
        return Open(folder, "try.html");
    }

    /// <summary>What a page writes into its <c>test</c>.</summary>
    private static JsonDocument Open(TempFolder folder, string page)
    {
        string chromium = Tool.Find("chromium", "chromium");
        string shown = Tool.Run(
            folder.Path, chromium, "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
            "--disable-component-update", "--disable-sync", "--virtual-time-budget=10000", $"--user-data-dir={folder["profile"]}",
            "--dump-dom", $"file://{folder.Path}/{page}");
        string json = Regex.Match(shown, "<pre id=\"test\" hidden=\"\">(.*?)</pre>").Groups[1].Value;
        Assert.True(json.Length > 0, shown);
        return JsonDocument.Parse(json);
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
