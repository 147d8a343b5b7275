"""Command lines run in this process, with networks that train in a second."""

from __future__ import annotations

from rsforge.cli.main import run

VAE = "--image-size 16 --channels 8,16 --latent-dim 8 --no-perceptual --num-workers 0 --batch-size 8 --jitter 0"
DRAWS = " --validation-draws 8"
"""Fewer than the three held-out images would be given, which takes longer than an epoch of training."""
DIFFUSION = f"--image-size 16 --hidden 16,16,32,32 --time-dim 16 --timesteps 40 --num-workers 0 --batch-size 8{DRAWS}"


def command(line: str, *paths: object) -> list[str]:
    """Words of a command line; ``{}`` are replaced by ``paths`` after splitting, so they may hold spaces."""
    given = iter(paths)
    return [str(next(given)) if word == "{}" else word for word in line.split()]


def rsforge(line: str, *paths: object) -> int:
    return run(command(line, *paths))
