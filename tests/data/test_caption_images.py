from __future__ import annotations

import errno
import io
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, features

from rsforge import durable
from rsforge.data import caption_images
from rsforge.data.caption_images import check_format, save, shaped, squared
from rsforge.errors import RsforgeError

HALVES = np.zeros((40, 80, 3), np.uint8)
HALVES[:, :40], HALVES[:, 40:] = (200, 0, 0), (0, 0, 200)
WIDE = Image.fromarray(HALVES)


def test_images_become_square():
    stretched = np.asarray(shaped(WIDE, 64, "stretch"))
    cropped, padded = (np.asarray(shaped(WIDE, 64, mode)) for mode in ("crop", "pad"))
    assert stretched.shape == cropped.shape == padded.shape == (64, 64, 3)
    assert (stretched[:, :20] == (200, 0, 0)).all() and (cropped[:, :20] == (200, 0, 0)).all()
    assert not padded[:15].any() and not padded[50:].any() and (padded[20:44, :20] == (200, 0, 0)).all()
    assert (cropped[:, 44:] == (0, 0, 200)).all()
    reference = WIDE.resize((64, 64), Image.Resampling.LANCZOS)
    assert np.array_equal(stretched, np.asarray(reference))


def test_size_0_and_the_right_size_are_left_alone():
    assert np.array_equal(np.asarray(shaped(WIDE, 0, "crop")), HALVES)
    left = HALVES[:, :40]
    assert np.array_equal(np.asarray(shaped(Image.fromarray(left), 40, "stretch")), left)


@pytest.mark.parametrize("mode", ["stretch", "crop", "pad"])
def test_a_line_of_pixels_is_shaped_too(mode):
    assert shaped(Image.new("RGB", (3000, 1)), 16, mode).size == (16, 16)


def encoded(image: Image.Image, kind: str = "JPEG", **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def seen(image: Image.Image) -> np.ndarray:
    with Image.open(io.BytesIO(encoded(image, quality=95))) as stored:
        return np.asarray(stored).astype(int)


@pytest.mark.parametrize("shape", ["stretch", "crop", "pad"])
@pytest.mark.parametrize("size", [(90, 60), (50, 130), (300, 200)])
def test_a_jpeg_gives_the_picture_that_its_colours_give(shape, size):
    smooth = Image.fromarray(np.random.default_rng(0).integers(0, 255, (7, 9, 3), np.uint8)).resize(size)
    data = encoded(smooth, quality=90)
    difference = seen(squared(data, 96, shape, "jpeg")) - seen(shaped(Image.open(io.BytesIO(data)), 96, shape))
    assert np.abs(difference).max() <= 12 and np.square(difference).mean() < 3  # 43 dB


def test_jpegs_of_other_colours_go_through_rgb():
    turned = Image.Exif()
    turned[274] = 6
    grey, cmyk = WIDE.convert("L"), WIDE.convert("CMYK")
    for data in (encoded(grey), encoded(cmyk), encoded(WIDE, keep_rgb=True), encoded(WIDE, "PNG")):
        assert squared(data, 32, "stretch", "jpeg").mode == "RGB"
    upright = squared(encoded(WIDE, exif=turned), 32, "stretch", "jpeg")
    assert (
        upright.mode == "RGB" and np.asarray(upright)[4, 16].argmax() == 0 and np.asarray(upright)[28, 16].argmax() == 2
    )
    assert squared(encoded(WIDE), 33, "stretch", "jpeg").mode == squared(encoded(WIDE), 32, "crop", "png").mode == "RGB"


@pytest.mark.parametrize("kind", ["jpeg", "png", "webp"])
def test_formats(tmp_path: Path, kind):
    save(tmp_path / "x", shaped(WIDE, 64, "stretch"), kind, 95)
    with Image.open(tmp_path / "x") as image:
        assert (image.format, image.size, image.mode) == (kind.upper(), (64, 64), "RGB")
        assert np.abs(np.asarray(image).astype(int)[:, :20] - (200, 0, 0)).mean() < 4


def test_a_format_that_is_not_there(monkeypatch):
    monkeypatch.setattr(features, "check", lambda name: False)
    check_format("jpeg")
    with pytest.raises(RsforgeError) as caught:
        check_format("webp")
    assert caught.value.code == "RSF-U005"


def test_a_short_write_is_a_full_disk(tmp_path: Path, monkeypatch):
    def cut(self, file, kind, **options):
        os.write(file.fileno(), b"\xff\xd8 not all")

    monkeypatch.setattr(Image.Image, "save", cut)
    with pytest.raises(OSError) as caught:
        save(tmp_path / "x", shaped(WIDE, 64, "stretch"), "jpeg", 95)
    assert caught.value.errno == errno.ENOSPC and caught.value.filename == str(tmp_path / "x")


def test_a_flush_is_begun_where_the_system_can(tmp_path: Path, monkeypatch):
    monkeypatch.delattr(caption_images.os, "posix_fadvise", raising=False)
    save(tmp_path / "x", shaped(WIDE, 16, "pad"), "jpeg", 50)
    assert (tmp_path / "x").read_bytes().endswith(b"\xff\xd9")


def test_files_take_their_names_together_after_they_are_flushed(tmp_path: Path, monkeypatch):
    pairs = [(tmp_path / f".tmp-{k}", tmp_path / f"{k}") for k in range(3)]
    for temporary, _ in pairs:
        temporary.write_bytes(b"x")
    done: list[str] = []
    monkeypatch.setattr(durable, "before_operation", done.append)
    durable.adopt(pairs)
    assert done == ["fsync"] * 3 + ["rename"] * 3 + ["fsync folder"]
    assert sorted(p.name for p in tmp_path.iterdir()) == ["0", "1", "2"]
