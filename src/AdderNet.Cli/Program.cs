using AdderNet.Cli;

return new CommandLine(Host.OfThisProcess()).Run(args);
