from __future__ import annotations

import errno
import io
import os
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, features

from rsforge import durable
from rsforge.data.captions import resize
from rsforge.data.captions.resize import check_format, decode_square, resize_to_square, save_image
from rsforge.data.io.image_reader import UnreadableError, decode_rgb
from rsforge.errors import RsforgeError

HALVES = np.zeros((40, 80, 3), np.uint8)
HALVES[:, :40], HALVES[:, 40:] = (200, 0, 0), (0, 0, 200)
WIDE = Image.fromarray(HALVES)


def test_images_become_square():
    stretched = np.asarray(resize_to_square(WIDE, 64, "stretch"))
    cropped, padded = (np.asarray(resize_to_square(WIDE, 64, mode)) for mode in ("crop", "pad"))
    assert stretched.shape == cropped.shape == padded.shape == (64, 64, 3)
    assert (stretched[:, :20] == (200, 0, 0)).all() and (cropped[:, :20] == (200, 0, 0)).all()
    assert not padded[:15].any() and not padded[50:].any() and (padded[20:44, :20] == (200, 0, 0)).all()
    assert (cropped[:, 44:] == (0, 0, 200)).all()
    reference = WIDE.resize((64, 64), Image.Resampling.LANCZOS)
    assert np.array_equal(stretched, np.asarray(reference))


def test_size_0_and_the_right_size_are_left_alone():
    assert np.array_equal(np.asarray(resize_to_square(WIDE, 0, "crop")), HALVES)
    left = HALVES[:, :40]
    assert np.array_equal(np.asarray(resize_to_square(Image.fromarray(left), 40, "stretch")), left)


@pytest.mark.parametrize("mode", ["stretch", "crop", "pad"])
def test_a_line_of_pixels_is_shaped_too(mode):
    assert resize_to_square(Image.new("RGB", (3000, 1)), 16, mode).size == (16, 16)


def encoded(image: Image.Image, kind: str = "JPEG", **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


@pytest.mark.parametrize("shape", ["stretch", "crop", "pad"])
def test_every_kind_of_picture_becomes_upright_and_coloured(shape):
    turned = Image.Exif()
    turned[274] = 6
    for data in (encoded(WIDE.convert("L")), encoded(WIDE.convert("CMYK")), encoded(WIDE, "PNG"), encoded(WIDE)):
        made = decode_square(data, 32, shape)
        assert made.mode == "RGB"
        assert np.array_equal(
            np.asarray(made), np.asarray(resize_to_square(Image.fromarray(decode_rgb(data)), 32, shape))
        )
    upright = np.asarray(decode_square(encoded(WIDE, exif=turned), 32, shape))
    assert upright[8, 16].argmax() == 0 and upright[24, 16].argmax() == 2


def test_values_of_16_bits_need_their_range():
    values = np.repeat(np.array([[0, 1500, 3000, 9000]], np.uint16), 4, 0)
    for kind in ("PNG", "TIFF"):
        data = encoded(Image.fromarray(values), kind)
        with pytest.raises(UnreadableError, match="--clip LOW HIGH"):
            decode_square(data, 0, "crop")
        assert np.asarray(decode_square(data, 0, "crop", (0, 3000)))[1, :, 0].tolist() == [0, 128, 255, 255]
        assert np.asarray(decode_square(data, 0, "crop", (0, 65535)))[1, :, 2].tolist() == [0, 6, 12, 35]


def test_colours_of_16_bits_are_read_at_full_scale_alone():
    rows = b"".join(b"\0" + struct.pack(">12H", *[65535, 3000, 0] * 4) for _ in range(4))
    parts = [(b"IHDR", struct.pack(">IIBBBBB", 4, 4, 16, 2, 0, 0, 0)), (b"IDAT", zlib.compress(rows)), (b"IEND", b"")]
    chunks = (struct.pack(">I", len(d)) + k + d + struct.pack(">I", zlib.crc32(k + d)) for k, d in parts)
    data = b"\x89PNG\r\n\x1a\n" + b"".join(chunks)
    for clip in (None, (0, 3000)):
        with pytest.raises(UnreadableError, match="16 bits"):
            decode_square(data, 0, "crop", clip)
    assert decode_square(data, 0, "crop", (0, 65535)).getpixel((1, 1)) == (255, 11, 0)


@pytest.mark.parametrize("kind", ["jpeg", "png", "webp"])
def test_formats(tmp_path: Path, kind):
    save_image(tmp_path / "x", resize_to_square(WIDE, 64, "stretch"), kind, 95)
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
        save_image(tmp_path / "x", resize_to_square(WIDE, 64, "stretch"), "jpeg", 95)
    assert caught.value.errno == errno.ENOSPC and caught.value.filename == str(tmp_path / "x")


def test_a_flush_is_begun_where_the_system_can(tmp_path: Path, monkeypatch):
    monkeypatch.delattr(resize.os, "posix_fadvise", raising=False)
    save_image(tmp_path / "x", resize_to_square(WIDE, 16, "pad"), "jpeg", 50)
    assert (tmp_path / "x").read_bytes().endswith(b"\xff\xd9")


def test_files_take_their_names_together_after_they_are_flushed(tmp_path: Path, monkeypatch):
    pairs = [(tmp_path / f".tmp-{k}", tmp_path / f"{k}") for k in range(3)]
    for temporary, _ in pairs:
        temporary.write_bytes(b"x")
    done: list[str] = []
    monkeypatch.setattr(durable, "before_operation", done.append)
    durable.commit_files(pairs)
    assert done == ["fsync"] * 3 + ["rename"] * 3 + ["fsync folder"]
    assert sorted(p.name for p in tmp_path.iterdir()) == ["0", "1", "2"]
