from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image, features
from torchvision.utils import make_grid

from rsforge import durable
from rsforge.data.io.image_writer import (
    PICTURE_SUFFIXES,
    arrange_grid,
    check_picture_path,
    save_grid,
    save_image,
    save_individuals,
    to_uint8,
)
from rsforge.errors import RsforgeError


def images(count: int, height: int = 6, width: int = 5) -> torch.Tensor:
    return torch.rand(count, 3, height, width, generator=torch.Generator().manual_seed(count)) * 2 - 1


def test_every_level_survives_and_the_rest_is_rounded_or_clipped() -> None:
    levels = torch.arange(256, dtype=torch.float32)
    x = (levels / 127.5 - 1).reshape(1, 1, 16, 16)
    assert np.array_equal(to_uint8(x)[0, ..., 2].ravel(), np.arange(256))
    near = torch.tensor([99.6, 100.4, -50.0, 300.0]) / 127.5 - 1
    assert to_uint8(near.reshape(1, 1, 2, 2))[0, ..., 0].ravel().tolist() == [100, 100, 0, 255]
    assert to_uint8(images(2).half().requires_grad_()).shape == (2, 6, 5, 3)


@pytest.mark.parametrize("count", range(1, 10))
@pytest.mark.parametrize(("nrow", "padding"), [(4, 2), (1, 2), (3, 0), (8, 5)])
def test_the_grid_is_that_of_torchvision(count: int, nrow: int, padding: int) -> None:
    pixels = to_uint8(images(count))
    tensor = torch.from_numpy(pixels).permute(0, 3, 1, 2)
    expected = make_grid(tensor, nrow=nrow, padding=padding).permute(1, 2, 0).numpy()
    assert np.array_equal(arrange_grid(pixels, nrow, padding), expected)


def test_saved_pictures_hold_the_pixels(tmp_path: Path) -> None:
    x = images(3)
    save_image(tmp_path / "one.png", x[0])
    assert np.array_equal(np.asarray(Image.open(tmp_path / "one.png")), to_uint8(x)[0])
    save_grid(tmp_path / "grid.PNG", x, nrow=2)
    assert np.array_equal(np.asarray(Image.open(tmp_path / "grid.PNG")), arrange_grid(to_uint8(x), 2))
    paths = save_individuals(tmp_path / "a" / "b", x, first=9)
    assert [path.name for path in paths] == ["image_009.png", "image_010.png", "image_011.png"]
    assert np.array_equal(np.asarray(Image.open(paths[2])), to_uint8(x)[2])


@pytest.mark.parametrize("suffix", PICTURE_SUFFIXES)
def test_every_suffix_can_be_written(tmp_path: Path, suffix: str) -> None:
    if suffix == ".webp" and not features.check("webp"):
        pytest.skip("this Pillow has no WebP")
    path = tmp_path / f"x{suffix}"
    check_picture_path(path)
    flat = torch.zeros(3, 16, 16) + torch.tensor([0.5, -0.2, 0.1])[:, None, None]
    save_image(path, flat)
    with Image.open(path) as image:
        assert np.abs(np.asarray(image.convert("RGB")).astype(int) - to_uint8(flat[None])[0]).max() <= 2


@pytest.mark.parametrize("name", ["x", "x.txt", "x.png.gz", ".png", "folder.png"])
def test_unusable_names_are_refused_before_anything_is_drawn(tmp_path: Path, name: str) -> None:
    (tmp_path / "folder.png").mkdir()
    with pytest.raises(RsforgeError) as caught:
        check_picture_path(tmp_path / name)
    assert caught.value.code == "RSF-U006"


def test_a_full_disk_leaves_the_old_picture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "x.png"
    save_image(path, images(1)[0])
    before = path.read_bytes()

    def full(operation: str) -> None:
        if operation == "write":
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(durable, "before_operation", full)
    with pytest.raises(OSError, match="No space left"):
        save_grid(path, images(4))
    assert path.read_bytes() == before and list(tmp_path.iterdir()) == [path]
