namespace AdderNet.Data.Tests;

internal static class Refused
{
    /// <summary>Asserts that a <see cref="DataException"/> of one sentence is thrown that holds all <paramref name="parts"/>.</summary>
    public static void Says(Action action, params string[] parts)
    {
        string message = Assert.Throws<DataException>(action).Message;
        Assert.DoesNotContain('\n', message);
        Assert.True(message[^1] is '.' or ')' or '!', message);
        foreach (string part in parts)
        {
            Assert.Contains(part, message, StringComparison.Ordinal);
        }
    }
}
