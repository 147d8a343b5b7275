"""Masks beside images: read where there are gaps, mirrored as the images are, and in no batch where there are none."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image

from rsforge.data.images.gaps import SquareMasks, has_gaps, mask_to_square, masks_of, stack_valid
from rsforge.data.images.tile_dataset import TileDataset, scan
from rsforge.engine.loader import collate_named
from rsforge.recipes.datasets.named_samples import NamedSamples
from rsforge.recipes.selected_items import SelectedItems


def draw(folder, noise, *, under: int = 0, size: int = 12, gaps: bool = True):
    """Two whole tiles, and one whose first three columns are transparent, over the value ``under``."""
    folder.mkdir(exist_ok=True)
    for k in range(2):
        Image.fromarray(noise(k, size, size)).save(folder / f"{k}.png")
    pixels = np.dstack([noise(2, size, size), np.full((size, size), 255, np.uint8)])
    if gaps:
        pixels[:, :3, 3] = 0
        pixels[:, :3, :3] = under
    Image.fromarray(pixels).save(folder / "2.png")
    return scan(folder).tiles


def open_tiles(tiles, **options):
    return TileDataset(tiles, **{"image_size": 12, "seed": 0, "flip": 0.5} | options)


def test_tiles_say_whether_they_have_gaps(tmp_path, noise):
    assert [tile.gaps for tile in draw(tmp_path / "a", noise)] == [False, False, True]
    whole = open_tiles(draw(tmp_path / "b", noise, gaps=False))
    assert not has_gaps(whole) and masks_of(whole)((0, 2)) is None and stack_valid(whole, [0, 2]) is None
    assert NamedSamples(whole, ("images",))[0, 2].keys() == {"images"}


@pytest.mark.parametrize("options", [{}, {"keep_bytes": 0}, {"random_crop": True}])
def test_masks_are_mirrored_as_their_images(tmp_path, noise, options):
    samples = open_tiles(draw(tmp_path, noise), **options)
    sides = set()
    for epoch in range(8):
        item = NamedSamples(samples, ("images",))[epoch, 2]
        assert item["valid"].dtype == torch.bool and item["valid"].shape == (1, 12, 12)
        assert torch.equal(item["valid"][0], (item["images"] > -1).any(0)) and item["valid"].sum() == 9 * 12
        sides.add(bool(item["valid"][0, 0, 0]))
    assert sides == {True, False}
    batch = collate_named([NamedSamples(samples, ("images",))[0, k] for k in range(3)])
    assert batch["valid"].shape == (3, 1, 12, 12) and batch["valid"][:2].all()


def test_what_stands_in_gaps_changes_no_bit(tmp_path, noise):
    one, other = (open_tiles(draw(tmp_path / str(under), noise, under=under), jitter=0.2) for under in (0, 200))
    assert one.tiles[2].digest != other.tiles[2].digest
    for epoch in range(3):
        (a, b), (c, d) = ((s[epoch, 2], s.valid((epoch, 2))) for s in (one, other))
        assert torch.equal(a, c) and torch.equal(b, d)


def test_a_choice_of_items_keeps_their_masks(tmp_path, noise):
    samples = open_tiles(draw(tmp_path, noise)).plain()
    chosen = SelectedItems(samples, [2, 0])
    assert torch.equal(stack_valid(chosen, [0, 1]), torch.stack([samples.valid((0, 2)), samples.valid((0, 0))]))
    assert not has_gaps(SelectedItems(open_tiles(samples.tiles[:2]), [0]))


def test_resampled_pixels_count_where_nothing_else_was_mixed_in():
    valid = np.ones((24, 24), bool)
    assert mask_to_square(valid, 7).all()
    valid[:, :11] = False
    mask = mask_to_square(valid, 12)
    mixed = np.asarray(Image.fromarray(np.where(valid, 1.0, -9.0).astype(np.float32)).resize((12, 12), 3))
    known = np.abs(mixed - 1) < 0.02
    assert np.array_equal(mask[0].numpy(), known) and 0 < known.sum() < known.size


def test_only_images_with_gaps_are_read_again():
    asked = []

    def read(index):
        asked.append(index)
        return torch.zeros(1, 4, 4, dtype=torch.bool)

    masks = SquareMasks([False, True, False], 4, read, keep=True)
    assert masks and masks[0].all() and not masks[1].any() and asked == [1]
    assert not SquareMasks([False], 4, read, keep=True) and SquareMasks([True], 4, read, keep=False)[0].sum() == 0
    assert asked == [1, 0]
