using AdderNet.Training.Tests;

// The number of threads and the random generator belong to the process, so that tests that train take turns.
[assembly: Xunit.v3.Parallelization(Mode = Xunit.Sdk.ParallelMode.None)]

return args is [CrashTests.HelperArgument, var folder]
    ? CrashTests.TrainForEver(folder)
    : args is [RankTests.HelperArgument, var scenario, var place]
    ? RankTests.Work(scenario, place)
    : args.Contains("--server")
    ? await Xunit.MicrosoftTestingPlatform.TestPlatformTestFramework.RunAsync(args, (builder, arguments) => { })
    : await Xunit.Runner.InProc.SystemConsole.ConsoleRunner.Run(args);
