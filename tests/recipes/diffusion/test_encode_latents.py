"""Latents on the disk are used only where they are to the bit what was encoded; no others are ever stored."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from rsforge.engine.distributed import SingleProcess
from rsforge.errors import RsforgeError
from rsforge.recipes.diffusion import encode_latents
from rsforge.recipes.diffusion.encode_latents import Store, find_masks, fresh
from rsforge.recipes.training.job import Compute
from tests.worlds.consoles import RecordingConsole


class Images:
    """Images of one value each, which is also their latent."""

    values = (1.0, 2.0, 3.0)

    def __len__(self):
        return len(self.values)

    def name(self, index):
        return f"tile {index}"

    def __getitem__(self, key):
        return torch.full((3, 4, 4), self.values[key[1]])


class MeanColour:
    def latent_shape(self, size):
        return (3,)

    def encode(self, x):
        return x.mean((2, 3)), torch.zeros(len(x), 3)


@pytest.fixture
def console():
    return RecordingConsole()


@pytest.fixture
def store(tmp_path, console):
    compute = Compute(torch.device("cpu"), SingleProcess())
    return Store(tmp_path, 4, MeanColour(), "vae", compute, console)


def encode(store, images=None):
    moments, names = store.moments(images or Images(), "train", "data", mirrored=False)
    assert names == ["tile 0", "tile 1", "tile 2"]
    return np.array(moments)[:, 0, 0, 0].tolist()


def test_sound_latents_are_encoded_once(store, console):
    assert encode(store) == encode(store) == [1.0, 2.0, 3.0]
    assert [label for label, _, _ in console.meters] == ["encoding train"] and console.warned == []


@pytest.mark.parametrize("damage", ["zeros", "NaN", "without a digest", "empty"])
def test_damaged_latents_are_encoded_again_and_it_is_said(store, console, tmp_path, damage):
    encode(store)
    (path,) = tmp_path.glob("*.npy")
    data = path.read_bytes()
    if damage in ("zeros", "NaN"):
        values = np.full(18, 0 if damage == "zeros" else np.nan, "<f4").tobytes()
        path.write_bytes(data[: -48 - 72] + values + data[-48:])
    else:
        path.write_bytes(data[:-48] if damage == "without a digest" else b"")
    assert encode(store) == [1.0, 2.0, 3.0] and len(console.meters) == 2
    assert len(console.warned) == 1 and f"{path}: " in console.warned[0] and "encoded again" in console.warned[0]
    assert path.read_bytes() == data


def test_latents_that_are_not_finite_name_their_images_and_are_not_stored(store, tmp_path, monkeypatch):
    monkeypatch.setattr(Images, "values", (1.0, float("nan"), 3.0))
    with pytest.raises(RsforgeError) as caught:
        encode(store)
    assert (caught.value.code, caught.value.where) == ("RSF-T001", "tile 1") and not list(tmp_path.iterdir())


def test_latents_cannot_be_standardised_by_what_is_not_finite():
    measured = {"mean": torch.zeros(3), "std": torch.tensor([1.0, float("inf"), 1.0])}
    vae = SimpleNamespace(state={"parts": {"own/latents": measured}})
    data = SimpleNamespace(train=Images(), held_out=Images())
    with pytest.raises(RsforgeError) as caught:
        fresh(data, MeanColour(), vae, Compute(torch.device("cpu"), SingleProcess()))
    assert caught.value.code == "RSF-T001" and caught.value.fix == encode_latents.ANOTHER_VAE


def test_fewer_large_images_are_encoded_together():
    assert [encode_latents.count_at_once(size) for size in (16, 128, 256, 512, 4096)] == [32, 32, 16, 4, 1]


class Masked(Images):
    """The same, of which the second holds no data in a corner."""

    has_gaps = True

    def valid(self, key):
        mask = torch.ones(1, 4, 4, dtype=torch.bool)
        mask[0, 0, 3] = key[1] != 1
        return mask


def test_masks_of_stored_maps_are_those_of_their_cells_in_both_views():
    masks = find_masks(Masked(), np.zeros((3, 2, 2, 8, 2, 2), np.float32))["valid"]
    assert masks.shape == (3, 2, 1, 2, 2) and np.argwhere(~masks).tolist() == [[1, 0, 0, 0, 1], [1, 1, 0, 0, 0]]
    assert find_masks(Masked(), np.zeros((3, 1, 2, 8, 2, 2), np.float32))["valid"].shape[1] == 1
    assert find_masks(Masked(), np.zeros((3, 2, 2, 8), np.float32)) == {}  # vectors hold no places
    assert find_masks(Images(), np.zeros((3, 2, 2, 8, 2, 2), np.float32)) == {}


class Lattice(Images):
    """Images of which every cell of 2 x 2 pixels has one without data."""

    has_gaps = True

    def valid(self, key):
        mask = torch.ones(1, 4, 4, dtype=torch.bool)
        mask[0, ::2, ::2] = False
        return mask


def test_maps_without_a_whole_cell_are_refused():
    assert find_masks(Lattice(), np.zeros((3, 1, 2, 8, 4, 4), np.float32))["valid"].sum() == 3 * 12
    with pytest.raises(RsforgeError, match="no cell of the latents") as caught:
        find_masks(Lattice(), np.zeros((3, 1, 2, 8, 2, 2), np.float32))
    assert caught.value.code == "RSF-D004" and "fewer levels" in caught.value.fix
