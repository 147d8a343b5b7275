"""Pools of earlier fakes."""

from __future__ import annotations

import torch

from rsforge.tasks.image_pool import ImagePools


def numbered(first: int, count: int) -> torch.Tensor:
    return torch.arange(first, first + count).float().view(-1, 1, 1, 1).expand(-1, 2, 3, 3).clone()


def test_a_pool_that_fills_gives_back_what_comes():
    pools = ImagePools(4)
    for first in (0, 2):
        torch.testing.assert_close(pools.query("d", 0, numbered(first, 2)), numbered(first, 2))
    assert pools.state_dict()[0]["d"][:, 0, 0, 0].tolist() == [0, 1, 2, 3]


def test_a_full_pool_exchanges_half_of_what_comes_and_keeps_each_once():
    torch.manual_seed(0)
    pools = ImagePools(10)
    pools.query("d", 0, numbered(0, 10))
    given = torch.cat([pools.query("d", 0, numbered(10 + k, 1)) for k in range(400)])[:, 0, 0, 0]
    earlier = int((given != torch.arange(10, 410)).sum())
    assert 160 < earlier < 240
    kept = pools.state_dict()[0]["d"][:, 0, 0, 0].tolist()
    assert len(kept) == 10
    # Whatever came is given back once or still kept: nothing is lost and nothing doubled.
    assert sorted([*given.tolist(), *kept]) == list(range(410))


def test_no_pool_gives_back_what_comes():
    pools = ImagePools(0)
    torch.testing.assert_close(pools.query("d", 0, numbered(0, 3)), numbered(0, 3))
    assert pools.state_dict() == {}


def test_what_is_not_finite_stays_out():
    pools = ImagePools(4)
    assert pools.query("d", 0, torch.full((1, 1, 2, 2), torch.nan)).isnan().all()
    assert all(image.isfinite().all() for images in pools.pools[0].values() for image in images)
    full = ImagePools(1)
    full.query("d", 0, torch.ones(1, 1, 2, 2))
    for _ in range(8):
        assert full.query("d", 0, torch.full((1, 1, 2, 2), torch.inf)).isinf().all()
    assert torch.equal(full.pools[0]["d"][0], torch.ones(1, 2, 2))


def test_what_is_kept_does_not_change_with_what_was_given():
    pools, images = ImagePools(2), numbered(0, 1).requires_grad_()
    given = pools.query("d", 0, images)
    assert not given.requires_grad
    with torch.no_grad():
        images.add_(7)
        given.add_(7)
    assert pools.state_dict()[0]["d"].unique().tolist() == [0]


def test_a_restored_pool_goes_on_as_if_nothing_had_been():
    whole, first = ImagePools(3), ImagePools(3)
    for pools in (whole, first):
        torch.manual_seed(1)
        for k in range(5):
            pools.query("a", 0, numbered(k, 1))
    second = ImagePools(3)
    second.load_state_dict({0: {"a": first.state_dict()[0]["a"].clone()}})
    for k in range(5, 20):
        draws = []
        for pools in (whole, second):
            torch.manual_seed(k)
            draws.append(pools.query("a", 0, numbered(k, 1)))
        torch.testing.assert_close(*draws, rtol=0, atol=0)


def test_pools_of_other_names_and_places_are_apart():
    pools = ImagePools(2)
    for number, (name, slot) in enumerate([("disc_X", 0), ("disc_X", 1), ("disc_Y", 0)]):
        pools.query(name, slot, numbered(number, 1))
    state = pools.state_dict()
    assert {(name, p): images.unique().item() for p, own in state.items() for name, images in own.items()} == {
        ("disc_X", 0): 0,
        ("disc_X", 1): 1,
        ("disc_Y", 0): 2,
    }


def test_a_pool_restored_elsewhere_than_it_grows_can_be_saved(monkeypatch):
    """Checkpoints are read to the CPU, fakes are made on the device."""
    pools = ImagePools(4)
    pools.load_state_dict({0: {"d": numbered(0, 2)}})
    pools.query("d", 0, numbered(2, 1))
    far = pools.pools[0]["d"][2].to("meta")
    pools.pools[0]["d"][2] = far
    monkeypatch.setattr(torch.Tensor, "cpu", lambda image: torch.zeros(image.shape) if image.is_meta else image)
    assert pools.state_dict()[0]["d"].shape == (3, 2, 3, 3)
