"""Trained networks from checkpoints, and their use on images of any size."""
