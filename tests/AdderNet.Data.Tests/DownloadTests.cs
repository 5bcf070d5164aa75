using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Authentication;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace AdderNet.Data.Tests;

public sealed class DownloadTests : IDisposable
{
    private static readonly byte[] Archive = Samples.Gzip(Samples.CifarTar(30));
    private static readonly string Sha256 = Convert.ToHexStringLower(SHA256.HashData(Archive));

    private readonly TempFolder folder = new();
    private readonly List<DownloadProgress> progress = [];

    public void Dispose() => folder.Dispose();

    [Fact]
    public void A_download_is_checked_kept_and_not_repeated()
    {
        using var server = new TinyServer(Archive);
        string path = Ensure(server.Url);
        Assert.Equal(Archive, File.ReadAllBytes(path));
        Assert.Equal(path, Ensure(server.Url));
        Assert.Equal([null], server.Ranges);
        Assert.Equal(150, CifarDataset.LoadArchive(Samples.Cifar10, 1, path, Source(Official(server.Url)).Train).Count);
        OnlyWholeFiles();
        Assert.Equal((0, Archive.Length), (progress[0].ReceivedBytes, progress[0].TotalBytes));
        Assert.Equal(Archive.Length, progress[^1].ReceivedBytes);
        Assert.Equal(progress.OrderBy(step => step.ReceivedBytes), progress);
    }

    [Fact]
    public void An_interrupted_transfer_continues_where_it_broke_off()
    {
        using var server = new TinyServer(Archive) { CutAfter = number => number < 3 ? 20_000 : null };
        Assert.Equal(Archive, File.ReadAllBytes(Ensure(server.Url)));
        Assert.Equal([null, 20_000, 40_000, 60_000], server.Ranges);
        OnlyWholeFiles();
    }

    [Fact]
    public void A_server_that_always_breaks_off_is_given_up_and_what_arrived_serves_the_next_run()
    {
        using var server = new TinyServer(Archive) { CutAfter = number => number < 4 ? 10_000 : null };
        Refused.Says(() => Ensure(server.Url), "127.0.0.1", "broke off after 40,000 bytes", "run again when that is mended");
        Assert.Equal(40_000, new FileInfo(folder["cifar-10-binary.tar.gz.part"]).Length);
        Assert.Equal(Archive, File.ReadAllBytes(Ensure(server.Url)));
        Assert.Equal(40_000, server.Ranges[^1]);
        OnlyWholeFiles();
    }

    [Fact]
    public void A_server_that_ignores_ranges_is_read_from_the_start()
    {
        folder.Write("cifar-10-binary.tar.gz.part", Archive[..5000]);
        using var server = new TinyServer(Archive) { IgnoresRanges = true };
        Assert.Equal(Archive, File.ReadAllBytes(Ensure(server.Url)));
        Assert.Equal([5000], server.Ranges);
        OnlyWholeFiles();
    }

    [Fact]
    public void A_part_of_something_else_is_noticed_and_fetched_anew()
    {
        folder.Write("cifar-10-binary.tar.gz.part", new byte[5000]);
        using var server = new TinyServer(Archive);
        Assert.Equal(Archive, File.ReadAllBytes(Ensure(server.Url)));
        Assert.Equal([5000, null], server.Ranges);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void A_part_that_is_already_whole_is_used_if_it_is_good(bool good)
    {
        byte[] part = [.. Archive];
        part[100] ^= (byte)(good ? 0 : 1);
        folder.Write("cifar-10-binary.tar.gz.part", part);
        using var server = new TinyServer(Archive);
        Assert.Equal(Archive, File.ReadAllBytes(Ensure(server.Url)));
        Assert.Equal(good ? [Archive.Length] : new long?[] { Archive.Length, null }, server.Ranges);
        OnlyWholeFiles();
    }

    [Fact]
    public void Wrong_content_is_refused_and_not_kept()
    {
        using var server = new TinyServer([.. Archive[..^1], 1]);
        Refused.Says(() => Ensure(server.Url), "SHA-256 is not the published one", server.Url, "cifar-10-binary.tar.gz", folder.Path);
        Assert.Equal([".lock"], Directory.GetFiles(folder.Path).Select(Path.GetFileName));
    }

    [Fact]
    public void A_file_that_changed_in_the_cache_is_fetched_again()
    {
        using var server = new TinyServer(Archive);
        string path = folder.Write("cifar-10-binary.tar.gz", [.. Archive[..^1], 1]);
        Assert.Equal(Archive, File.ReadAllBytes(Ensure(server.Url)));
        Assert.Equal(Archive, File.ReadAllBytes(path));
    }

    [Fact]
    public void A_mirror_helps_out_and_where_none_does_each_ones_fault_is_told()
    {
        using var bad = new TinyServer(Archive) { Status = "404 Not Found" };
        using var good = new TinyServer(Archive);
        Assert.Equal(Archive, File.ReadAllBytes(Ensure(bad.Url, good.Url)));
        File.Delete(folder["cifar-10-binary.tar.gz"]);
        good.Status = "503 Busy";
        Refused.Says(() => Ensure(bad.Url, good.Url), $"{bad.Url} answered 404 Not Found; {good.Url} answered 503 Busy");
    }

    [Fact]
    public void More_bytes_than_the_file_has_are_refused_before_or_while_they_come()
    {
        using var claims = new TinyServer(Archive) { Claims = 1L << 40 };
        Refused.Says(() => Ensure(claims.Url), "offers 1,099,511,627,776 bytes");
        using var endless = new TinyServer(Archive) { Endless = true };
        Refused.Says(() => Ensure(endless.Url), "sends more than");
        Assert.Equal(0, new DirectoryInfo(folder.Path).GetFiles().Sum(file => file.Length));
    }

    [Fact]
    public void Without_a_network_one_sentence_says_which_files_to_put_where()
    {
        var probe = new TcpListener(IPAddress.Loopback, 0);
        probe.Start();
        int port = ((IPEndPoint)probe.LocalEndpoint).Port;
        probe.Stop();
        Refused.Says(() => Ensure($"http://127.0.0.1:{port}/data/file"), "CIFAR-10's cifar-10-binary.tar.gz could not be downloaded",
            "127.0.0.1: no connection (Connection refused)", "without a proxy", $"get cifar-10-binary.tar.gz from http://127.0.0.1:{port}/data/", $"put it into {folder.Path}");
    }

    [Fact]
    public void A_name_that_is_not_found_is_told_with_whether_a_proxy_was_asked() =>
        Refused.Says(() => Ensure("https://no-such-host.invalid/data/file"), "no-such-host.invalid: the name is not found (DNS)", "HTTPS_PROXY is not set");

    [Fact]
    public async Task A_certificate_that_is_not_trusted_is_told()
    {
        using var key = RSA.Create(2048);
        using X509Certificate2 self = new CertificateRequest("CN=localhost", key, HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1)
            .CreateSelfSigned(DateTimeOffset.Now.AddDays(-1), DateTimeOffset.Now.AddDays(1));
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        Task server = Task.Run(async () =>
        {
            using TcpClient client = await listener.AcceptTcpClientAsync();
            await using var stream = new SslStream(client.GetStream());
            try
            {
                await stream.AuthenticateAsServerAsync(self);
                stream.ReadByte();
            }
            catch (Exception e) when (e is AuthenticationException or IOException)
            {
                // The client goes away, as it should.
            }
        });
        Refused.Says(() => Ensure($"https://localhost:{((IPEndPoint)listener.LocalEndpoint).Port}/data/file"), "localhost: its certificate was not accepted", "proxy that inspects traffic");
        await server;
    }

    [Theory]
    [InlineData("http", "http_proxy")]
    [InlineData("https", "HTTPS_PROXY")]
    public void A_proxy_that_wants_a_password_is_named(string scheme, string variable)
    {
        using var proxy = new TinyServer([]) { Status = "407 Proxy Authentication Required" };
        string address = new Uri(proxy.Url).GetLeftPart(UriPartial.Authority);
        using var process = new SecondProcess(folder.Path, $"{scheme}://data.example/file", Official(), (variable, address));
        string says = process.WaitFor("refused");
        Assert.Contains($"data.example: the proxy {address} wants a user and a password (407); give them in {variable}", says, StringComparison.Ordinal);
        Assert.Contains($"into {folder["cifar10"]}", says, StringComparison.Ordinal);
    }

    [Fact]
    public void A_proxy_that_is_not_there_is_named_without_its_password()
    {
        using var process = new SecondProcess(folder.Path, "https://data.example/file", Official(), ("HTTPS_PROXY", "http://someone:secret@127.0.0.1:1"));
        string says = process.WaitFor("refused");
        Assert.Contains("through the proxy http://127.0.0.1:1", says, StringComparison.Ordinal);
        Assert.DoesNotContain("secret", says, StringComparison.Ordinal);
    }

    [Fact]
    public void A_disk_that_fills_up_is_told_with_the_folder()
    {
        using TinyMount disk = new(folder["disk"], "size=64k");
        using var server = new TinyServer(Archive);
        Refused.Says(() => DataCache.Ensure("CIFAR-10", folder["disk"], [Official(server.Url)], null, default),
            $"could not be written to {folder["disk"]}: No space left on device", "make room or set ADDERNET_CACHE");
    }

    [Fact]
    public void A_silent_server_is_not_waited_for_forever()
    {
        using var never = new ManualResetEventSlim();
        using var server = new TinyServer(Archive) { Hold = _ => never };
        TimeSpan before = Download.Patience;
        try
        {
            Download.Patience = TimeSpan.FromMilliseconds(200);
            Refused.Says(() => Ensure(server.Url), "no answer for");
        }
        finally
        {
            Download.Patience = before;
            never.Set();
        }
    }

    [Fact]
    public void Cancelling_stops_and_keeps_what_arrived()
    {
        using var never = new ManualResetEventSlim();
        using var server = new TinyServer(Archive) { Hold = number => number == 0 ? never : null };
        using var cancel = new CancellationTokenSource();
        var onProgress = new Progress(step =>
        {
            if (step.ReceivedBytes > 0)
            {
                cancel.Cancel();
            }
        });
        Assert.ThrowsAny<OperationCanceledException>(() => DataCache.Ensure("CIFAR-10", folder.Path, [Official(server.Url)], onProgress, cancel.Token));
        never.Set();
        Assert.True(new FileInfo(folder["cifar-10-binary.tar.gz.part"]).Length > 0);
        Assert.Equal(Archive, File.ReadAllBytes(Ensure(server.Url)));
        Assert.True(server.Ranges[^1] > 0);
    }

    [Fact]
    public void Mirrors_may_have_zipped_the_same_content_differently()
    {
        byte[] content = Samples.IdxImages(50);
        var file = new OfficialFile("x.gz", content.Length, Convert.ToHexStringLower(SHA256.HashData(content)), HashUnzipped: true, []);
        string path = folder.Write("x.gz", Samples.Gzip(content));
        Assert.True(file.Matches(path));
        folder.Write("x.gz", content);
        Assert.True(file.Matches(path));
        folder.Write("x.gz", Samples.Gzip([.. content, 0]));
        Assert.False(file.Matches(path));
        folder.Write("x.gz", Samples.Gzip(content)[..^300]);
        Assert.False(file.Matches(path));
    }

    [Fact]
    public void A_cache_folder_that_cannot_be_made_is_told()
    {
        string file = folder.Write("file", [1]);
        Refused.Says(() => DataCache.Ensure("CIFAR-10", Path.Combine(file, "cache"), [Official("http://127.0.0.1:9/x")], null, default), file, "ADDERNET_CACHE");
    }

    [Fact]
    public void The_cache_is_where_the_environment_says_or_the_system_keeps_caches()
    {
        static string Folder(params (string Name, string Value)[] set) =>
            DataCache.Folder("mnist", name => Array.Find(set, pair => pair.Name == name).Value);
        Assert.Equal(Path.GetFullPath("/a/mnist"), Folder(("ADDERNET_CACHE", "/a"), ("XDG_CACHE_HOME", "/b")));
        Assert.Equal(Path.GetFullPath("/b/addernet/mnist"), Folder(("ADDERNET_CACHE", ""), ("XDG_CACHE_HOME", "/b")));
        Assert.EndsWith(Path.Combine("addernet", "mnist"), Folder(), StringComparison.Ordinal);
        Assert.True(Path.IsPathRooted(Folder()));
    }

    [Fact]
    public void A_system_packages_files_are_checked_and_used_without_a_download()
    {
        byte[] images = Samples.IdxImages(7), labels = Samples.IdxLabels(7);
        static OfficialFile File(string name, byte[] content) =>
            new(name, content.Length, Convert.ToHexStringLower(SHA256.HashData(content)), HashUnzipped: true, ["http://127.0.0.1:9/" + name]);
        OfficialFile[] files = [File("i.gz", images), File("l.gz", labels)];
        var source = new IdxSource(Samples.Mnist, [], new SystemPackage("mnist", folder.Path), files, files);
        folder.Write("i.gz", Samples.Gzip(images));
        folder.Write("l.gz", Samples.Gzip(labels));
        Assert.Equal(7, source.Open(train: true, null, null, default).Count);
        labels[^1] = 9;
        folder.Write("l.gz", Samples.Gzip(labels));
        Refused.Says(() => source.Open(train: true, null, null, default), DataProblem.WrongSystemFile, folder["l.gz"], "SHA-256", "reinstall Debian's mnist");
        Refused.Says(() => DataCache.Ensure("MNIST", folder["none"], files, null, default, "mnist"), "install Debian's mnist, or get i.gz, l.gz from http://127.0.0.1:9/ and put them into");
    }

    [Fact]
    public void Two_processes_on_one_cache_download_once()
    {
        using var half = new ManualResetEventSlim();
        using var server = new TinyServer(Archive) { Hold = number => number == 0 ? half : null };
        using var one = new SecondProcess(folder.Path, server.Url, Official(server.Url));
        one.WaitFor("received some");
        using var two = new SecondProcess(folder.Path, server.Url, Official(server.Url));
        two.WaitFor("waiting");
        half.Set();
        string read = one.WaitFor("read 150");
        Assert.Equal(read, two.WaitFor("read 150"));
        Assert.Equal([null], server.Ranges);
        OnlyWholeFiles("cifar10");
    }

    [Fact]
    public void When_the_downloading_process_is_killed_the_waiting_one_continues_its_work()
    {
        using var half = new ManualResetEventSlim();
        using var server = new TinyServer(Archive) { Hold = number => number == 0 ? half : null };
        using var one = new SecondProcess(folder.Path, server.Url, Official(server.Url));
        one.WaitFor("received some");
        using var two = new SecondProcess(folder.Path, server.Url, Official(server.Url));
        two.WaitFor("waiting");
        one.Kill();
        two.WaitFor("read 150");
        half.Set();
        Assert.Equal(2, server.Ranges.Length);
        Assert.True(server.Ranges[1] > 0);
        OnlyWholeFiles("cifar10");
    }

    internal static CifarSource Source(OfficialFile archive) => new(
        Samples.Cifar10, [], LabelBytes: 1, archive,
        [.. Enumerable.Range(1, 5).Select(i => $"cifar-10-batches-bin/data_batch_{i}.bin")], ["cifar-10-batches-bin/test_batch.bin"]);

    private static OfficialFile Official(params string[] urls) => new("cifar-10-binary.tar.gz", Archive.Length, Sha256, HashUnzipped: false, urls);

    private string Ensure(params string[] urls) =>
        DataCache.Ensure("CIFAR-10", folder.Path, [Official(urls)], new Progress(progress.Add), TestContext.Current.CancellationToken)[0];

    private void OnlyWholeFiles(string under = "") =>
        Assert.Equal([".lock", "cifar-10-binary.tar.gz"], Directory.GetFiles(Path.Combine(folder.Path, under)).Select(Path.GetFileName).Order(StringComparer.Ordinal));

    internal sealed class Progress(Action<DownloadProgress> report) : IProgress<DownloadProgress>
    {
        public void Report(DownloadProgress value) => report(value);
    }
}
