namespace AdderNet.Checkpoints;

/// <summary>
/// A stream for a library that makes objects of what it reads, and makes them before anybody can look: until the meter is stopped, each
/// byte read takes some bytes of a memory budget.
/// </summary>
internal sealed class MeteredStream(Stream inner, MemoryBudget budget, int factor) : Stream
{
    private bool _stopped;

    public override bool CanRead => true;

    public override bool CanSeek => true;

    public override bool CanWrite => false;

    public override long Length => inner.Length;

    public override long Position
    {
        get => inner.Position;
        set => inner.Position = value;
    }

    public void Stop() => _stopped = true;

    public override int Read(byte[] buffer, int offset, int count) => Read(buffer.AsSpan(offset, count));

    public override int Read(Span<byte> buffer)
    {
        int read = inner.Read(buffer);
        if (!_stopped) budget.Take((long)read * factor);
        return read;
    }

    public override long Seek(long offset, SeekOrigin origin) => inner.Seek(offset, origin);

    public override void Flush()
    {
    }

    public override void SetLength(long value) => throw new NotSupportedException();

    public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();
}
