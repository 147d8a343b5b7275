from __future__ import annotations

import errno
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, features

from rsforge import durable
from rsforge.data import caption_images
from rsforge.data.caption_images import check_format, save, shaped
from rsforge.errors import RsforgeError

WIDE = np.zeros((40, 80, 3), np.uint8)
WIDE[:, :40], WIDE[:, 40:] = (200, 0, 0), (0, 0, 200)


def test_images_become_square():
    stretched = np.asarray(shaped(WIDE, 64, "stretch"))
    cropped, padded = (np.asarray(shaped(WIDE, 64, mode)) for mode in ("crop", "pad"))
    assert stretched.shape == cropped.shape == padded.shape == (64, 64, 3)
    assert (stretched[:, :20] == (200, 0, 0)).all() and (cropped[:, :20] == (200, 0, 0)).all()
    assert not padded[:15].any() and not padded[50:].any() and (padded[20:44, :20] == (200, 0, 0)).all()
    assert (cropped[:, 44:] == (0, 0, 200)).all()
    reference = Image.fromarray(WIDE).resize((64, 64), Image.Resampling.LANCZOS)
    assert np.array_equal(stretched, np.asarray(reference))


def test_size_0_and_the_right_size_are_left_alone():
    assert np.array_equal(np.asarray(shaped(WIDE, 0, "crop")), WIDE)
    assert np.array_equal(np.asarray(shaped(WIDE[:, :40], 40, "stretch")), WIDE[:, :40])


@pytest.mark.parametrize("mode", ["stretch", "crop", "pad"])
def test_a_line_of_pixels_is_shaped_too(mode):
    assert shaped(np.full((1, 3000, 3), 9, np.uint8), 16, mode).size == (16, 16)


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
