namespace AdderNet.Data.Tests;

internal static class Refused
{
    /// <summary>Asserts that a <see cref="DataException"/> of one sentence is thrown that holds all <paramref name="parts"/>.</summary>
    public static void Says(Action action, params string[] parts) => Says(action, DataProblem.Other, parts);

    /// <summary>The same, of a problem that programs can tell from others.</summary>
    public static void Says(Action action, DataProblem problem, params string[] parts)
    {
        DataException thrown = Assert.Throws<DataException>(action);
        Assert.Equal(problem, thrown.Problem);
        string message = thrown.Message;
        Assert.DoesNotContain('\n', message);
        Assert.True(message[^1] is '.' or ')' or '!', message);
        foreach (string part in parts)
        {
            Assert.Contains(part, message, StringComparison.Ordinal);
        }
    }
}
