"""Squares of files: kept or read on access alike, and of no file that changed."""

from __future__ import annotations

import pytest
import torch

from rsforge.data.files.digests import file_digest
from rsforge.data.images.square_images import File, SquareImages
from rsforge.errors import RsforgeError


def read(path):
    return torch.full((1, 2, 2), int(path.read_text()), dtype=torch.uint8)


def read_mask(path):
    return torch.tensor([[[True, False], [True, True]]])


def open_files(folder, *, keep):
    for value in (0, 255):
        (folder / f"{value}.png").write_text(str(value))
    paths = sorted(folder.glob("*.png"))
    return SquareImages(
        [File(one, file_digest(one), one.stem == "255") for one in paths], read, read_mask, size=2, keep=keep
    )


@pytest.mark.parametrize("keep", [True, False])
def test_images_and_masks_are_those_of_their_files(tmp_path, keep):
    images = open_files(tmp_path, keep=keep)
    assert len(images) == 2 and images.has_gaps
    assert images[0].tolist() == [[[-1.0] * 2] * 2] and images[1].tolist() == [[[1.0] * 2] * 2]
    assert images.valid(0).all() and torch.equal(images.valid(1), read_mask(None))
    assert len(SquareImages([], read, read_mask, size=1, keep=keep)) == 0


def test_a_file_that_changed_is_refused(tmp_path):
    images = open_files(tmp_path, keep=False)
    (tmp_path / "0.png").write_text("1")
    with pytest.raises(RsforgeError, match="changed since") as refused:
        images[0]
    assert refused.value.where == str(tmp_path / "0.png")
