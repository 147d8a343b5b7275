"""The command line: argv to settings, one recipe call, a rendered result."""
