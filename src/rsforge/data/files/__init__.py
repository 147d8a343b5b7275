"""Which files of a folder are images."""
