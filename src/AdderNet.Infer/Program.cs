using AdderNet.Infer;

return Command.Run(args, Console.Out, Console.Error);
