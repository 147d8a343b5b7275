"""Rasters larger than a network takes, in tiles."""
