"""Small scenes of paired patches, and the words that train on them in a second."""

from __future__ import annotations

from pathlib import Path

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


def draw_scenes(root: Path, count: int = 3, *, holes: bool = True) -> Path:
    """Three scenes of ``count`` patches of 30 pixels, 12 bands and 3 of Landsat, with holes in the first."""
    for seed, name in enumerate(("a", "b", "c")):
        write_scene(root / name / "test_patches.h5", count, seed=seed, hole=holes and name == "a")
    return root
