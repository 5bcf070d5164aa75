System.Console.WriteLine("addernet");
