using System.Diagnostics;

namespace AdderNet.Data.Tests;

public class SystemPackageTests
{
    [Fact]
    public void Package_that_apt_does_not_have_leaves_the_folder_as_it_is()
    {
        using TempFolder folder = new();

        new SystemPackage("no-such-package-anywhere", "/usr/share").Unpack([Datasets.FashionMnist.Train[0]], folder.Path, CancellationToken.None);

        Assert.Empty(Directory.GetFileSystemEntries(folder.Path));
    }

    [Fact]
    public void Official_files_come_out_of_the_package_without_installing_it()
    {
        Assert.SkipUnless(AptHas("dataset-fashion-mnist"), "apt has no dataset-fashion-mnist here.");
        using TempFolder folder = new();
        OfficialFile[] files = [.. Datasets.FashionMnist.Train, .. Datasets.FashionMnist.Test];

        Datasets.FashionMnist.Package!.Unpack(files, folder.Path, CancellationToken.None);

        Assert.All(files, file => Assert.True(file.Matches(Path.Combine(folder.Path, file.Name)), file.Name));
        Assert.Equal(files.Length, Directory.GetFileSystemEntries(folder.Path).Length);
    }

    private static bool AptHas(string package)
    {
        try
        {
            using Process process = Process.Start(new ProcessStartInfo("apt-get", ["-qq", "--print-uris", "download", package])
            {
                RedirectStandardOutput = true,
                RedirectStandardError = true,
            })!;
            process.StandardOutput.ReadToEnd();
            process.WaitForExit();
            return process.ExitCode == 0;
        }
        catch (System.ComponentModel.Win32Exception)
        {
            return false;
        }
    }
}
