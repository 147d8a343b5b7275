"""Scenes of four kinds."""

from __future__ import annotations

import hashlib
import subprocess
import sys

import numpy as np
import pytest

from rsforge.data.synthetic.landscape import KINDS, compose_scene, draw_close_up, draw_tile
from rsforge.data.synthetic.noise_textures import PaintedScene


def test_a_tile_is_a_function_of_seed_and_index() -> None:
    first = draw_tile(1, 2, 32)
    assert first.shape == (32, 32, 3) and first.dtype == np.uint8 and first.flags.c_contiguous
    np.random.default_rng().random()
    assert np.array_equal(draw_tile(1, 2, 32), first)
    assert not np.array_equal(draw_tile(1, 3, 32), first)
    assert not np.array_equal(draw_tile(2, 2, 32), first)


def test_another_process_draws_the_same() -> None:
    code = (
        "import hashlib; from rsforge.data.synthetic.landscape import draw_tile; "
        "print(hashlib.sha256(b''.join(draw_tile(5, k, 24).tobytes() for k in range(6))).hexdigest())"
    )
    here = hashlib.sha256(b"".join(draw_tile(5, k, 24).tobytes() for k in range(6))).hexdigest()
    there = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert there.strip() == here


def test_a_scene_is_the_same_at_every_size() -> None:
    for index in range(8):
        small = draw_tile(0, index, 64).astype(float)
        large = draw_tile(0, index, 128).astype(float).reshape(64, 2, 64, 2, 3).mean((1, 3))
        other = draw_tile(0, index + 1, 64).astype(float)
        assert np.abs(small - large).mean() < 4
        assert np.abs(small - other).mean() > 10


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_paints_on_its_own(kind: str) -> None:
    before, after = (PaintedScene(np.random.default_rng(3), 48) for _ in range(2))
    before.rgb[:] = after.rgb[:] = 0.4
    before.rng.random()
    for seed in range(8):  # a scene of fields may add nothing
        after.rng = np.random.default_rng(seed)
        KINDS[kind](after, 0.3, 1.1)
    assert np.isfinite(after.rgb).all()
    assert not np.array_equal(before.pixels(), after.pixels())


def test_scenes_are_lively_and_well_exposed() -> None:
    sheet = np.stack([draw_tile(3, k, 32) for k in range(32)]).astype(float)
    assert 60 < sheet.mean() < 150
    assert sheet.std(axis=(1, 2)).mean() > 15
    assert ((sheet == 0) | (sheet == 255)).mean() < 0.001
    blue = (sheet[..., 2] > sheet[..., 0] + 20).mean(axis=(1, 2))
    assert 2 <= (blue > 0.2).sum() <= 16  # seas


def test_a_scene_that_records_nothing_keeps_nothing() -> None:
    g = PaintedScene(np.random.default_rng(1), 16)
    compose_scene(g)
    assert g.shares.shape == (0, 32, 32) and g.kind in KINDS


def test_a_close_up_is_the_middle_of_the_scene():
    assert np.array_equal(draw_close_up(3, 1, 24), draw_tile(3, 1, 48)[12:36, 12:36])
