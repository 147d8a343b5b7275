"""Hyperspectral cubes: formats, wavelengths, spectral response, patches."""
