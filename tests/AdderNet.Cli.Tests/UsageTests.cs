namespace AdderNet.Cli.Tests;

public class UsageTests
{
    [Theory]
    [InlineData("trian", "did you mean train?")]
    [InlineData("train --epoch 3", "did you mean --epochs?")]
    [InlineData("train --epochs many", "--epochs takes a whole number from 1 to 1000000, not 'many'")]
    [InlineData("train --epochs 0", "--epochs takes a whole number from 1 to 1000000, not '0'")]
    [InlineData("train --lr NaN", "--lr takes a number")]
    [InlineData("train --layers ader", "--layers takes adder, cnn, bnn or dorefa, not 'ader'; did you mean adder?")]
    [InlineData("train --scaling ilr --eta 0.1", "--eta belongs to --scaling adaptive")]
    [InlineData("train --resume some --epochs 3", "--epochs can't be combined with --resume")]
    [InlineData("train --epochs", "--epochs")]
    [InlineData("eval some --layers bnn", "--layers says what a file of weights is of, and needs --model")]
    [InlineData("info", "MODEL is missing")]
    [InlineData("predict", "IMAGE is missing")]
    [InlineData("convert a", "DESTINATION is missing")]
    [InlineData("models all", "'all' is one argument too many")]
    [InlineData("eval ", "addernet eval: an argument is empty; is a variable that stands there not set?")]
    [InlineData("train --out  --epochs 1", "what follows --out is empty")]
    [InlineData("train --epochs 1 --data-dir=", "--data-dir= has no value")]
    [InlineData("info resnet20 --model resnet20", "there is no file resnet20")]
    public void A_wrong_command_line_is_answered_with_what_would_be_right(string arguments, string expected) =>
        Assert.Contains(expected, Addernet.Run(arguments.Split(' ')).FailsWith(ExitCode.Usage));

    [Theory]
    [InlineData("train --model resnet2", "did you mean resnet20?")]
    [InlineData("train --data fashon-mnist", "did you mean fashion-mnist?")]
    [InlineData("train --recipe cifr", "did you mean cifar?")]
    [InlineData("info lenet", "There is no model 'lenet'")]
    [InlineData("info vgg-smal", "did you mean vgg-small?")]
    [InlineData("eval nowhere", "nowhere")]
    [InlineData("train --resume nowhere", "nowhere")]
    public void What_does_not_exist_is_answered_with_what_is_nearest(string arguments, string expected) =>
        Assert.Contains(expected, Addernet.Run(arguments.Split(' ')).FailsWith(ExitCode.Failure));

    [Fact]
    public void An_error_of_the_program_itself_is_one_sentence_that_says_how_to_see_more()
    {
        StringWriter error = new();
        Assert.Equal(ExitCode.Failure, Failure.Report(new InvalidOperationException("first line\nsecond line"), error));
        Assert.Equal("Error: unexpected InvalidOperationException: first line (Set ADDERNET_TRACE=1 to see where.)", error.ToString().TrimEnd());
    }
}
