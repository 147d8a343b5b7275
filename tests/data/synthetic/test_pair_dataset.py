"""Drawn pairs in memory are those that the drawn world writes to disk."""

from __future__ import annotations

import torch

from rsforge.data.pairs.dataset import PairDataset, judge_pairs
from rsforge.data.pairs.index import find_pairs
from rsforge.data.sar.radiometry import EIGHT_BIT
from rsforge.data.synthetic import write_pairs
from rsforge.data.synthetic.pair_dataset import SyntheticPairs


def test_they_are_those_that_are_written(tmp_path):
    list(write_pairs.write(tmp_path, "terrain", count=6, size=16, seed=5))
    written, _ = judge_pairs(find_pairs(tmp_path).pairs, EIGHT_BIT)
    on_disk = PairDataset(written, radiometry=EIGHT_BIT, image_size=16, seed=0)
    drawn = SyntheticPairs(6, image_size=16, seed=5)
    names = {on_disk.name(k).split("/")[1]: k for k in range(6)}
    for index in range(6):
        for one, other in zip(drawn[0, index], on_disk[0, names[drawn.name(index)]], strict=True):
            assert torch.equal(one, other)


def test_scenes_hold_four_pairs_each():
    drawn = SyntheticPairs(10, image_size=8, seed=0)
    assert len(drawn) == 10 and len({drawn.scene(k) for k in range(10)}) == 3
    assert [drawn.scene(k) for k in range(4)] == [drawn.scene(0)] * 4 != [drawn.scene(4)] * 4
    assert len({drawn.name(k) for k in range(10)}) == 10


def test_kept_or_drawn_when_asked_they_are_the_same_and_mirrored_alike():
    kept, drawn = (SyntheticPairs(8, image_size=8, seed=1, flip=0.5, keep_bytes=b) for b in (1 << 20, 0))
    plain = kept.plain()
    assert kept.cached is plain.cached is not None and drawn.cached is None and kept.digest == drawn.digest
    turned = 0
    for key in [(epoch, index) for epoch in range(3) for index in range(8)]:
        (sar, optical), (x, y) = kept[key], plain[key]
        assert all(torch.equal(a, b) for a, b in zip(drawn[key], (sar, optical), strict=True))
        assert sar.shape == (1, 8, 8) and optical.shape == (3, 8, 8) and sar.abs().max() <= 1
        mirrored = not torch.equal(sar, x)
        assert torch.equal(optical, y.flip(-1) if mirrored else y)
        turned += mirrored
    assert 4 < turned < 20
    upside_down = SyntheticPairs(8, image_size=8, seed=1, half_turn=1.0)
    assert all(torch.equal(a, b.rot90(2, (-2, -1))) for a, b in zip(upside_down[0, 0], plain[0, 0], strict=True))
    assert torch.equal(upside_down.plain()[0, 0][0], plain[0, 0][0])


def test_the_digest_knows_what_determines_them():
    digests = {
        SyntheticPairs(count, image_size=size, seed=seed, keep_bytes=0).digest
        for count, size, seed in ((8, 8, 1), (9, 8, 1), (8, 9, 1), (8, 8, 2))
    }
    assert len(digests) == 4


def test_each_drawing_is_told():
    told = []
    SyntheticPairs(6, image_size=8, seed=0, progress=lambda: told.append(1))
    SyntheticPairs(6, image_size=8, seed=0, keep_bytes=0, progress=lambda: told.append(1))
    assert len(told) == 6
