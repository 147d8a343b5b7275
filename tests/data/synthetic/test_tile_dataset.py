"""Synthetic tiles as a dataset and as files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from rsforge.data.synthetic.landscape import draw_tile
from rsforge.data.synthetic.tile_dataset import SyntheticTiles, write_tiles


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


def test_plain_scenes_share_what_is_cached() -> None:
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
