"""Scenes with one SAR image and four true optical images."""

from __future__ import annotations

import numpy as np
import torch

from rsforge.data.synthetic.season_worlds import LOOK, draw_world
from rsforge.data.synthetic.world import SEASONS, draw_pair
from rsforge.metrics.coverage import l1_distances, mean_separation


def test_sar_is_the_same_in_every_season():
    powers = [draw_pair(3, 1, 32, **LOOK, season=season)[1] for season in SEASONS]
    assert all(np.array_equal(power, powers[0]) for power in powers)


def test_a_world_is_a_patch_of_the_pairs_of_each_season():
    world = draw_world(3, 1, 16)
    assert world.sar.shape == (1, 16, 16) and world.truths.shape == (4, 3, 16, 16)
    for truth, season in zip(world.truths, SEASONS, strict=True):
        optical, _ = draw_pair(3, 1, 32, **LOOK, season=season)
        expected = torch.from_numpy(optical[:16, :16]).permute(2, 0, 1).float() / 255 * 2 - 1
        torch.testing.assert_close(truth, expected)
    assert -1 <= float(world.sar.min()) < float(world.sar.max()) <= 1


def test_seasons_can_be_told_apart_and_scenes_are_others():
    worlds = [draw_world(3, number, 16) for number in range(3)]
    for world in worlds:
        assert mean_separation(l1_distances(world.truths, world.truths)) > 0.05
    assert not torch.equal(worlds[0].sar, worlds[1].sar)
