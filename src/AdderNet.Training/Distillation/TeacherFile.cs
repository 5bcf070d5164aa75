using System.Security.Cryptography;

namespace AdderNet.Training.Distillation;

/// <summary>The one file that a teacher's weights are in.</summary>
/// <param name="Weights">Its path: of a run, that of the best epoch.</param>
/// <param name="Sha256">The hash of its content, in hexadecimal digits.</param>
internal sealed record TeacherFile(string Weights, string Sha256)
{
    /// <summary>Finds the file, and makes sure that it is the one that the recipe means.</summary>
    /// <exception cref="TrainingException">It is gone, can't be read, or is another.</exception>
    public static TeacherFile Open(Teacher teacher)
    {
        if (!System.IO.Path.Exists(teacher.Path))
        {
            throw new TrainingException(
                $"The teacher {teacher.Path} is not there: no run and no file has that name. Put it back"
                + (teacher.Sha256 is { } hash ? $" (the SHA-256 of its weights is {hash})." : ", or name another."));
        }

        string weights = Directory.Exists(teacher.Path) ? TrainedModel.WeightsOf(teacher.Path) : teacher.Path;
        string found = Hash(weights);
        return teacher.Sha256 is null || string.Equals(found, teacher.Sha256, StringComparison.OrdinalIgnoreCase)
            ? new TeacherFile(weights, found)
            : throw new TrainingException(
                $"The teacher {teacher.Path} is not the one that this run began with: the SHA-256 of its weights is {found}, not {teacher.Sha256}; "
                + "put that one back, or start a new run.");
    }

    private static string Hash(string path)
    {
        try
        {
            using FileStream stream = File.OpenRead(path);
            return Convert.ToHexStringLower(SHA256.HashData(stream));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new TrainingException($"The teacher {path} can't be read: {e.Message.TrimEnd('.')}.", e);
        }
    }
}
