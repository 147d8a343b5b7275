"""Text encoders, trained by contrast with images."""
