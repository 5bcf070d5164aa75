using System.Runtime.InteropServices;

namespace AdderNet.Cli;

/// <summary>Turns the first Ctrl-C (or SIGTERM) into a polite cancellation; the second ends the process at once, as ever.</summary>
internal sealed class Interrupt : IDisposable
{
    private readonly CancellationTokenSource source = new();
    private readonly PosixSignalRegistration[] registrations;

    public Interrupt(TextWriter? notice)
    {
        registrations = [Register(PosixSignal.SIGINT), Register(PosixSignal.SIGTERM)];

        PosixSignalRegistration Register(PosixSignal signal) => PosixSignalRegistration.Create(signal, context =>
        {
            if (!source.IsCancellationRequested)
            {
                context.Cancel = true;
                notice?.WriteLine("Stopping after this batch; press Ctrl-C again to stop at once.");
                source.Cancel();
            }
        });
    }

    /// <summary>Cancelled by the first signal.</summary>
    public CancellationToken Token => source.Token;

    public void Dispose()
    {
        foreach (PosixSignalRegistration registration in registrations)
        {
            registration.Dispose();
        }

        source.Dispose();
    }
}
