using System.Net;
using System.Net.Sockets;
using System.Text;
using System.Text.RegularExpressions;

namespace AdderNet.Data.Tests;

/// <summary>A web server of one file on this machine that can behave badly in the ways that real ones do.</summary>
internal sealed partial class TinyServer : IDisposable
{
    private readonly TcpListener listener = new(IPAddress.Loopback, 0);
    private readonly byte[] content;
    private readonly List<long?> ranges = [];

    public TinyServer(byte[] content)
    {
        this.content = content;
        listener.Start();
        new Thread(Accept) { IsBackground = true }.Start();
    }

    public string Url => $"http://127.0.0.1:{((IPEndPoint)listener.LocalEndpoint).Port}/data/file";

    /// <summary>Where each request wanted to begin; null where it wanted all.</summary>
    public long?[] Ranges
    {
        get
        {
            lock (ranges)
            {
                return [.. ranges];
            }
        }
    }

    /// <summary>Given the number of the request (from 0): bytes after which the connection is cut, null for none.</summary>
    public Func<int, int?> CutAfter { get; set; } = _ => null;

    /// <summary>Given the number of the request: what to wait for in the middle of the content, null for nothing.</summary>
    public Func<int, ManualResetEventSlim?> Hold { get; set; } = _ => null;

    public bool IgnoresRanges { get; set; }

    public string? Status { get; set; }

    /// <summary>Content-Length that is claimed; null for the true one.</summary>
    public long? Claims { get; set; }

    /// <summary>Whether to send no length and more and more bytes.</summary>
    public bool Endless { get; set; }

    public void Dispose() => listener.Dispose();

    private void Accept()
    {
        try
        {
            while (true)
            {
                TcpClient client = listener.AcceptTcpClient();
                new Thread(() => Serve(client)) { IsBackground = true }.Start();
            }
        }
        catch (Exception e) when (e is SocketException or InvalidOperationException)
        {
            // The server was disposed.
        }
    }

    private void Serve(TcpClient client)
    {
        try
        {
            using (client)
            {
                Answer(client.GetStream());
            }
        }
        catch (IOException)
        {
            // The client went away, which is its right.
        }
    }

    private void Answer(NetworkStream stream)
    {
        string request = "";
        while (!request.EndsWith("\r\n\r\n", StringComparison.Ordinal))
        {
            int read = stream.ReadByte();
            if (read < 0)
            {
                return;
            }

            request += (char)read;
        }

        long? from = RangeHeader().Match(request) is { Success: true } match ? long.Parse(match.Groups[1].ValueSpan, null) : null;
        int number;
        lock (ranges)
        {
            number = ranges.Count;
            ranges.Add(from);
        }

        void Send(string text) => stream.Write(Encoding.ASCII.GetBytes(text));
        if (Status is not null)
        {
            Send($"HTTP/1.1 {Status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
            return;
        }

        if (Endless)
        {
            Send("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n");
            while (true)
            {
                stream.Write(new byte[4096]);
            }
        }

        int start = IgnoresRanges ? 0 : (int)(from ?? 0);
        if (start >= content.Length)
        {
            Send($"HTTP/1.1 416 Range Not Satisfiable\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
            return;
        }

        Send(start > 0
            ? $"HTTP/1.1 206 Partial Content\r\nContent-Range: bytes {start}-{content.Length - 1}/{content.Length}\r\n"
            : "HTTP/1.1 200 OK\r\n");
        Send($"Content-Length: {Claims ?? content.Length - start}\r\nConnection: close\r\n\r\n");
        int end = CutAfter(number) is { } cut ? Math.Min(content.Length, start + cut) : content.Length;
        int middle = (start + end) / 2;
        stream.Write(content, start, middle - start);
        stream.Flush();
        Hold(number)?.Wait();
        stream.Write(content, middle, end - middle);
    }

    [GeneratedRegex(@"^Range: bytes=(\d+)-\r$", RegexOptions.Multiline | RegexOptions.IgnoreCase)]
    private static partial Regex RangeHeader();
}
