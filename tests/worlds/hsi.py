"""Small scenes of paired patches, and the words that train on them in a second."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch

from rsforge.engine import precision
from rsforge.losses import spectral
from tests.worlds.spectral_patches import write_scene

TINY = (
    "--hidden-width 8 --blocks 1 --features 2 --taps 3 --num-workers 0 --batch-size 2 --report-to none --device cpu "
    "--transformer-width 8 --heads 2 --endmembers 3 "
)
TRAIN = "hsi train-spectral --data-dir {} --output-dir {} " + TINY
SPATIAL = (
    "hsi train-spatial --data-dir {} --stage1-checkpoint {} --output-dir {} --num-groups 1 --num-blocks 1 "
    "--num-features 4 --num-workers 0 --batch-size 2 --report-to none --device cpu "
)


def draw_scenes(root: Path, count: int = 3, *, holes: Sequence[int] = (4, 0, 0)) -> Path:
    """Three scenes of ``count`` patches of 30 pixels, 12 bands and 3 of Landsat.

    ``holes`` are the pixels of each scene along the sides of a hole in a corner of its patches.
    """
    for seed, (name, hole) in enumerate(zip("abc", holes, strict=True)):
        write_scene(root / name / "test_patches.h5", count, seed=seed, hole=hole)
    return root


def watch_bf16(monkeypatch) -> tuple[set[torch.dtype], set[torch.dtype]]:
    """Let this processor have bf16; the types in which convolutions and terms of the loss are computed from here on."""
    convolutions, terms = set(), set()
    conv, mean = torch.nn.Conv2d.forward, spectral._mean

    def convolve(self, x):
        y = conv(self, x)
        convolutions.add(y.dtype)
        return y

    def average(pixels, valid):
        terms.add(pixels.dtype)
        return mean(pixels, valid)

    monkeypatch.setattr(precision, "cpu_has", lambda name: True)
    monkeypatch.setattr(torch.nn.Conv2d, "forward", convolve)
    monkeypatch.setattr(spectral, "_mean", average)
    return convolutions, terms
