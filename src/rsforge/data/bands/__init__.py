"""What the bands of a raster mean, as its metadata says it."""
