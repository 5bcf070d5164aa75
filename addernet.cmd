@echo off
rem addernet from this checkout: builds what has changed, then runs it.
setlocal
set DOTNET_NOLOGO=1
set DOTNET_CLI_TELEMETRY_OPTOUT=1
dotnet build "%~dp0src\AdderNet.Cli" -c Release -v quiet || exit /b 1
dotnet "%~dp0src\AdderNet.Cli\bin\Release\net10.0\AdderNet.Cli.dll" %*
