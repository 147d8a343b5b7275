from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from rsforge.data.synthetic.landscape import KINDS
from rsforge.data.synthetic.noise_textures import PaintedScene
from rsforge.data.synthetic.tile_dataset import SyntheticTiles, draw_tile, write_tiles


def test_a_tile_is_a_function_of_seed_and_index() -> None:
    first = draw_tile(1, 2, 32)
    assert first.shape == (32, 32, 3) and first.dtype == np.uint8 and first.flags.c_contiguous
    np.random.default_rng().random()
    assert np.array_equal(draw_tile(1, 2, 32), first)
    assert not np.array_equal(draw_tile(1, 3, 32), first)
    assert not np.array_equal(draw_tile(2, 2, 32), first)


def test_another_process_draws_the_same() -> None:
    code = (
        "import hashlib; from rsforge.data.synthetic.tile_dataset import draw_tile; "
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


def test_synthetic_tiles_are_addressed_like_real_ones() -> None:
    data = SyntheticTiles(5, image_size=16, seed=4)
    assert len(data) == 5 and data.name(0) == "tile_0001"
    expected = torch.from_numpy(draw_tile(4, 3, 16)).permute(2, 0, 1).float() / 127.5 - 1
    torch.testing.assert_close(data[0, 3], expected)
    assert torch.equal(data[0, 3], data[7, 3])
    on_demand = SyntheticTiles(5, image_size=16, seed=4, keep_bytes=0)
    assert on_demand.cached is None and torch.equal(on_demand[0, 3], data[0, 3])
    with pytest.raises(IndexError):
        on_demand[0, 5]


def test_synthetic_flips_are_drawn_by_key() -> None:
    data = SyntheticTiles(1, image_size=16, seed=4, flip=0.5)
    plain = SyntheticTiles(1, image_size=16, seed=4)[0, 0]
    seen = [data[epoch, 0] for epoch in range(30)]
    assert all(torch.equal(x, plain) or torch.equal(x, plain.flip(-1)) for x in seen)
    assert 5 < sum(torch.equal(x, plain) for x in seen) < 25


def test_plain_scenes_share_what_is_kept() -> None:
    data = SyntheticTiles(3, image_size=16, seed=4, flip=1.0)
    plain = data.plain()
    assert plain.cached is data.cached and plain.digest == data.digest
    assert torch.equal(plain[1, 2], data[1, 2].flip(-1))


def test_the_digest_knows_what_determines_the_images() -> None:
    data = [
        SyntheticTiles(*a, image_size=b, seed=c) for a, b, c in [((2,), 8, 0), ((3,), 8, 0), ((2,), 9, 0), ((2,), 8, 1)]
    ]
    assert len({d.digest for d in data}) == 4
    assert data[0].digest == SyntheticTiles(2, image_size=8, seed=0, flip=0.5).digest


def test_written_tiles_are_the_drawn_ones(tmp_path: Path) -> None:
    write_tiles(tmp_path / "new", 3, 20, seed=6)
    assert sorted(p.name for p in (tmp_path / "new").iterdir()) == [f"tile_000{k}.png" for k in (1, 2, 3)]
    assert np.array_equal(np.asarray(Image.open(tmp_path / "new" / "tile_0002.png")), draw_tile(6, 1, 20))
