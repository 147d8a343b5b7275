"""The porch: argv to settings, one recipe call, a rendered result."""
