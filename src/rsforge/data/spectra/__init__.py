"""What spectral super-resolution learns from: paired patches of Landsat and spectra, their statistics, fits to them."""
