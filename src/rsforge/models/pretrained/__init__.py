"""Stable Diffusion 1.x and 2.x as other programs store them, read into our networks and written back."""
