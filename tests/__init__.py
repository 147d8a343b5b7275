"""The suite; a package, so that no other `tests` that is installed can stand in its place."""
