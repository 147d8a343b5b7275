"""Samples under names."""

from __future__ import annotations

import pytest
import torch

from rsforge.data.synthetic.pair_dataset import SyntheticPairs
from rsforge.data.synthetic.tile_dataset import SyntheticTiles
from rsforge.errors import RsforgeError
from rsforge.recipes.datasets.named_samples import NamedSamples, NoSamples, require_data


def test_tensors_and_tuples_get_names():
    tiles = SyntheticTiles(3, image_size=16, seed=0)
    named = NamedSamples(tiles, ["images"])
    assert len(named) == 3 and named.name(1) == tiles.name(1)
    assert named[0, 2].keys() == {"images"} and torch.equal(named[0, 2]["images"], tiles[0, 2])
    pairs = SyntheticPairs(4, image_size=16, seed=0)
    item = NamedSamples(pairs, ("sar", "optical"))[0, 1]
    assert torch.equal(item["sar"], pairs[0, 1][0]) and torch.equal(item["optical"], pairs[0, 1][1])


def test_every_tensor_needs_a_name():
    with pytest.raises(ValueError, match="zip"):
        NamedSamples(SyntheticPairs(4, image_size=16, seed=0), ["sar"])[0, 0]


class Masked(SyntheticTiles):
    """Tiles of which the third alone holds data, in a corner."""

    has_gaps = True

    def valid(self, key: tuple[int, int]) -> torch.Tensor:
        return (torch.arange(16) == 0).expand(1, 16, 16) & (key[1] == 2)


def test_a_side_that_holds_no_data_is_refused():
    require_data(train=Masked(3, image_size=16, seed=0), val=SyntheticTiles(1, image_size=16, seed=0), test=NoSamples())
    with pytest.raises(RsforgeError, match="side val hold no data") as caught:
        require_data(train=SyntheticTiles(1, image_size=16, seed=0), val=Masked(2, image_size=16, seed=0))
    assert caught.value.code == "RSF-D004"
