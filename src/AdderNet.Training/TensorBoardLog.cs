using System.Buffers.Binary;
using System.Globalization;
using System.Numerics;
using Google.Protobuf;

namespace AdderNet.Training;

/// <summary>
/// Scalars for TensorBoard: a file of records, each a length, its checksum, a protobuf <c>Event</c> and its checksum. One file a
/// sitting; it begins with the history, and the files of earlier sittings, which may tell of epochs that were lost, go.
/// </summary>
internal sealed class TensorBoardLog : IDisposable
{
    private const string Suffix = ".addernet";

    private readonly FileStream file;

    public TensorBoardLog(string folder, IReadOnlyList<EpochMetrics> history)
    {
        string[] earlier = Directory.GetFiles(folder, $"events.out.tfevents.*{Suffix}");
        double now = Seconds(DateTimeOffset.UtcNow);
        string name = string.Create(CultureInfo.InvariantCulture, $"events.out.tfevents.{(long)now}.{Environment.MachineName}.{Environment.ProcessId}.{Guid.NewGuid():N}{Suffix}");
        file = new FileStream(Path.Combine(folder, name), FileMode.CreateNew, FileAccess.Write, FileShare.ReadWrite | FileShare.Delete);
        try
        {
            Record(Event(now, 0, output =>
            {
                output.WriteTag(3, WireFormat.WireType.LengthDelimited);
                output.WriteString("brain.Event:2");
            }));
            foreach (EpochMetrics epoch in history)
            {
                Append(epoch);
            }

            file.Flush();
            foreach (string path in earlier)
            {
                File.Delete(path);
            }
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    /// <summary>Adds an epoch.</summary>
    public void Add(EpochMetrics epoch)
    {
        Append(epoch);
        file.Flush();
    }

    public void Dispose() => file.Dispose();

    /// <summary>CRC-32C in the form the record format stores it.</summary>
    internal static uint MaskedCrc(ReadOnlySpan<byte> bytes)
    {
        uint crc = ~0u;
        foreach (byte b in bytes)
        {
            crc = BitOperations.Crc32C(crc, b);
        }

        return BitOperations.RotateRight(~crc, 15) + 0xa282ead8u;
    }

    private void Append(EpochMetrics epoch) => Record(Event(Seconds(epoch.Finished), epoch.Epoch, output =>
    {
        byte[] summary = Message(s =>
        {
            foreach ((string split, MetricValues? values) in (IEnumerable<(string, MetricValues?)>)
                [("train", epoch.Train), ("validation", epoch.Validation), ("test", epoch.Test)])
            {
                foreach ((string name, double value) in values ?? [])
                {
                    Scalar(s, $"{name}/{split}", value);
                }
            }

            Scalar(s, "learning_rate", epoch.LearningRate);
            Scalar(s, "images_per_second", epoch.ImagesPerSecond);
        });
        output.WriteTag(5, WireFormat.WireType.LengthDelimited);
        output.WriteBytes(ByteString.CopyFrom(summary));
    }));

    // Summary.Value { 1: tag, 2: simple_value }, field 1 of Summary.
    private static void Scalar(CodedOutputStream summary, string tag, double value)
    {
        byte[] bytes = Message(v =>
        {
            v.WriteTag(1, WireFormat.WireType.LengthDelimited);
            v.WriteString(tag);
            v.WriteTag(2, WireFormat.WireType.Fixed32);
            v.WriteFloat((float)value);
        });
        summary.WriteTag(1, WireFormat.WireType.LengthDelimited);
        summary.WriteBytes(ByteString.CopyFrom(bytes));
    }

    // Event { 1: wall_time, 2: step, 3: file_version, 5: summary }
    private static byte[] Event(double wallTime, long step, Action<CodedOutputStream> what) => Message(output =>
    {
        output.WriteTag(1, WireFormat.WireType.Fixed64);
        output.WriteDouble(wallTime);
        output.WriteTag(2, WireFormat.WireType.Varint);
        output.WriteInt64(step);
        what(output);
    });

    private static byte[] Message(Action<CodedOutputStream> write)
    {
        using MemoryStream bytes = new();
        using (CodedOutputStream output = new(bytes, leaveOpen: true))
        {
            write(output);
        }

        return bytes.ToArray();
    }

    private void Record(byte[] data)
    {
        byte[] record = new byte[12 + data.Length + 4];
        BinaryPrimitives.WriteInt64LittleEndian(record, data.Length);
        BinaryPrimitives.WriteUInt32LittleEndian(record.AsSpan(8), MaskedCrc(record.AsSpan(0, 8)));
        data.CopyTo(record, 12);
        BinaryPrimitives.WriteUInt32LittleEndian(record.AsSpan(12 + data.Length), MaskedCrc(data));
        file.Write(record);
    }

    private static double Seconds(DateTimeOffset time) => time.ToUnixTimeMilliseconds() / 1000.0;
}
