using System.Runtime.InteropServices;
using AdderNet.Infer;

namespace AdderNet.Native;

/// <summary>The program <c>addernet-infer</c>, of which launcher.c is the rest.</summary>
internal static unsafe class Program
{
    [UnmanagedCallersOnly(EntryPoint = "addernet_infer")]
    public static int Infer(int count, byte** arguments)
    {
        try
        {
            string[] words = new string[Math.Max(0, count - 1)];
            for (int i = 0; i < words.Length; i++)
            {
                words[i] = Marshal.PtrToStringUTF8((nint)arguments[i + 1])!;
            }

            return Command.Run(words, Console.Out, Console.Error);
        }
        catch (Exception e)
        {
            Console.Error.WriteLine($"Error: unexpected {e.GetType().Name}: {e.Message}");
            return 1;
        }
    }
}
