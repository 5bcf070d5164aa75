using System.ComponentModel;
using System.Diagnostics;

namespace AdderNet.Data;

/// <summary>A Debian package that installs a data set's official files.</summary>
/// <param name="Name">The package's name.</param>
/// <param name="Folder">Where it puts the files.</param>
internal sealed record SystemPackage(string Name, string Folder)
{
    /// <summary>
    /// Takes the files out of the package without installing it, where apt can get it: into <paramref name="folder"/>, each only if it is
    /// the official one. Where that is not to be had the folder stays as it is.
    /// </summary>
    public void Unpack(IReadOnlyList<OfficialFile> files, string folder, CancellationToken cancellation)
    {
        if (!OperatingSystem.IsLinux() || files.All(file => File.Exists(Path.Combine(folder, file.Name))))
        {
            return;
        }

        DirectoryInfo temporary = Directory.CreateTempSubdirectory("addernet-");
        try
        {
            if (Run("apt-get", ["-o", "Acquire::http::Timeout=10", "-o", "Acquire::Retries=0", "-qq", "download", Name], temporary, cancellation)
                && temporary.GetFiles("*.deb") is [var package]
                && Run("dpkg-deb", ["-x", package.Name, "."], temporary, cancellation))
            {
                foreach (OfficialFile file in files)
                {
                    Place(file, Path.Combine(temporary.FullName, Folder.TrimStart('/'), file.Name), folder);
                }
            }
        }
        finally
        {
            temporary.Delete(recursive: true);
        }
    }

    private static void Place(OfficialFile file, string from, string folder)
    {
        if (File.Exists(from) && file.Matches(from))
        {
            // Under another name first: a file under its own name is whole.
            string part = Path.Combine(Directory.CreateDirectory(folder).FullName, Path.GetRandomFileName());
            File.Copy(from, part);
            File.Move(part, Path.Combine(folder, file.Name), overwrite: true);
        }
    }

    /// <summary>Whether a program ran and succeeded; what it says is for nobody.</summary>
    private static bool Run(string program, IEnumerable<string> arguments, DirectoryInfo folder, CancellationToken cancellation)
    {
        try
        {
            using Process process = Process.Start(new ProcessStartInfo(program, arguments)
            {
                WorkingDirectory = folder.FullName,
                RedirectStandardInput = true,
                RedirectStandardOutput = true,
                RedirectStandardError = true,
            })!;
            process.StandardInput.Close();
            using (cancellation.Register(process.Kill))
            {
                Task<string> errors = process.StandardError.ReadToEndAsync(CancellationToken.None);
                process.StandardOutput.ReadToEnd();
                errors.GetAwaiter().GetResult();
                process.WaitForExit();
            }

            cancellation.ThrowIfCancellationRequested();
            return process.ExitCode == 0;
        }
        catch (Win32Exception)
        {
            return false; // There is no such program: another distribution.
        }
    }
}
