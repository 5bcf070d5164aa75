using AdderNet.Data;
using AdderNet.Training;

namespace AdderNet.Cli.Tests;

public class HintTests
{
    [Fact]
    public void Every_problem_that_a_library_tells_apart_has_something_to_type()
    {
        Assert.All(
            Enum.GetValues<DataProblem>().Where(p => p != DataProblem.Other),
            p => Assert.Contains(" --", Hints.For(new DataException("It is wrong.") { Problem = p }), StringComparison.Ordinal));
        Assert.All(
            Enum.GetValues<TrainingProblem>().Where(p => p != TrainingProblem.Other),
            p => Assert.Contains(" --", Hints.For(new TrainingException("It is wrong.") { Problem = p, Folder = "run" }), StringComparison.Ordinal));
    }

    [Fact]
    public void What_to_type_ends_the_sentence_of_the_problem()
    {
        StringWriter error = new();

        int code = Failure.Report(new TrainingException("The folder run already holds a run.") { Problem = TrainingProblem.FolderHoldsRun, Folder = "run" }, error);

        Assert.Equal(ExitCode.Failure, code);
        Assert.Equal("Error: The folder run already holds a run; continue it with --resume run, or choose another folder with --out.\n", error.ToString().ReplaceLineEndings("\n"));
    }

    [Fact]
    public void Other_problems_are_told_as_they_are() => Assert.Equal("", Hints.For(new DataException("It is wrong.")));
}
