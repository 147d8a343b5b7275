from __future__ import annotations

import io
import os
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageOps

from rsforge.data.io.image_reader import MAX_PIXELS, UnreadableError, decode_rgb, find_images, read_rgb
from rsforge.errors import RsforgeError


def encoded(image: Image.Image, kind: str = "PNG", **options) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def png(header: bytes, *chunks: tuple[bytes, bytes]) -> bytes:
    """A PNG put together by hand from its header and further chunks."""
    parts = [(b"IHDR", header), *chunks, (b"IEND", b"")]
    blocks = [struct.pack(">I", len(d)) + n + d + struct.pack(">I", zlib.crc32(n + d)) for n, d in parts]
    return b"\x89PNG\r\n\x1a\n" + b"".join(blocks)


def tiff(values: np.ndarray, photometric: int = 1, bits: int = 16, kind: int = 1, samples: int = 1) -> bytes:
    """An uncompressed little-endian TIFF of one strip."""
    data = values.tobytes()
    height, width = values.shape[:2]
    tags = {
        256: width, 257: height, 258: bits, 259: 1, 262: photometric, 273: 8,
        277: samples, 278: height, 279: len(data), 339: kind,
    }  # fmt: skip
    rows = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags.items())
    start = 8 + len(data)
    return b"II*\0" + struct.pack("<I", start) + data + struct.pack("<H", len(tags)) + rows + b"\0\0\0\0"


def reason(data: bytes) -> str:
    with pytest.raises(UnreadableError) as caught:
        decode_rgb(data)
    return str(caught.value)


def test_images_are_found_once_by_name_in_either_case(tmp_path: Path) -> None:
    names = ["b/Z.PNG", "a.jpeg", "b/a.TIFF", "A.Jpg", ".hidden/x.bmp", "b/c/d.tif"]
    for name in [*names, "notes.txt", "png", "b/x.gif"]:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "folder.png").mkdir()
    found = [path.relative_to(tmp_path).as_posix() for path in find_images(tmp_path)]
    assert found == sorted(set(names) - {".hidden/x.bmp"})


def test_linked_folders_are_entered_once_and_loops_end(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "x.png").touch()
    (tmp_path / "root").mkdir()
    (tmp_path / "root" / "link").symlink_to(tmp_path / "real")
    (tmp_path / "root" / "again").symlink_to(tmp_path / "real")
    (tmp_path / "real" / "loop").symlink_to(tmp_path / "root")
    (tmp_path / "root" / "self.png").symlink_to("self.png")
    found = [path.relative_to(tmp_path / "root").as_posix() for path in find_images(tmp_path / "root")]
    assert found == ["again/x.png", "self.png"]


@pytest.mark.parametrize("case", ["empty", "missing", "file"])
def test_no_images_is_said_in_the_documented_words(tmp_path: Path, case: str) -> None:
    folder = tmp_path / case
    if case == "empty":
        folder.mkdir()
    elif case == "file":
        folder.touch()
    with pytest.raises(RsforgeError) as caught:
        find_images(folder)
    assert caught.value.code == "RSF-D001"
    assert caught.value.what.startswith(f"No images found in {folder}")
    assert ("does not exist" in caught.value.what) == (case == "missing")


@pytest.mark.parametrize("kind", ["PNG", "BMP", "TIFF"])
def test_colours_survive_lossless_formats(noise, kind: str) -> None:
    pixels = noise(0, 5, 9)
    assert np.array_equal(decode_rgb(encoded(Image.fromarray(pixels), kind)), pixels)


def test_cmyk_jpeg_comes_back_in_the_same_colours() -> None:
    flat = np.full((16, 16, 3), (200, 60, 30), np.uint8)
    data = encoded(Image.fromarray(flat).convert("CMYK"), "JPEG", quality=95)
    assert np.abs(decode_rgb(data).astype(int) - flat).max() < 8


def test_alpha_of_zero_is_black_and_others_leave_the_colours() -> None:
    rgba = np.array([[(200, 100, 50, 255), (200, 100, 50, 0), (200, 100, 51, 128)]], np.uint8)
    expected = [[(200, 100, 50), (0, 0, 0), (200, 100, 51)]]
    assert decode_rgb(encoded(Image.fromarray(rgba))).tolist() == np.array(expected).tolist()
    grey = np.array([[(200, 255), (200, 0), (200, 128)]], np.uint8)
    assert decode_rgb(encoded(Image.fromarray(grey))).tolist() == [[[200] * 3, [0] * 3, [200] * 3]]


def test_palette_and_its_transparency() -> None:
    image = Image.new("P", (3, 1))
    image.putpalette([10, 20, 30, 200, 100, 50, 7, 8, 9])
    image.putdata([0, 1, 2])
    assert decode_rgb(encoded(image)).tolist() == [[[10, 20, 30], [200, 100, 50], [7, 8, 9]]]
    assert decode_rgb(encoded(image, transparency=1)).tolist() == [[[10, 20, 30], [0, 0, 0], [7, 8, 9]]]


def test_one_bit_and_grey_fill_all_three_channels() -> None:
    bits = Image.fromarray(np.array([[0, 255]], np.uint8)).convert("1")
    assert decode_rgb(encoded(bits)).tolist() == [[[0] * 3, [255] * 3]]
    grey = np.arange(256, dtype=np.uint8).reshape(16, 16)
    assert np.array_equal(decode_rgb(encoded(Image.fromarray(grey)))[..., 1], grey)


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_16_bit_grey_is_scaled_not_clipped(kind: str) -> None:
    values = np.arange(65536, dtype=np.uint16).reshape(256, 256)
    decoded = decode_rgb(encoded(Image.fromarray(values), kind))
    assert np.array_equal(decoded[..., 0], np.rint(values / 257))
    assert np.array_equal(decoded[..., 0], decoded[..., 2])


def test_16_bit_tiff_whose_smallest_value_is_white_is_inverted() -> None:
    values = np.array([[0, 257 * 100, 65535]], "<u2")
    assert decode_rgb(tiff(values, photometric=0))[0, :, 0].tolist() == [255, 155, 0]
    assert decode_rgb(tiff(values))[0, :, 0].tolist() == [0, 100, 255]


def test_12_bit_tiff_is_scaled_by_its_own_range() -> None:
    packed = np.frombuffer(bytes([0x00, 0x0F, 0xFF]), np.uint8)  # 0x000 and 0xFFF
    assert decode_rgb(tiff(packed.reshape(1, 3), bits=12).replace(
        struct.pack("<HHII", 256, 4, 1, 3), struct.pack("<HHII", 256, 4, 1, 2)
    ))[0, :, 0].tolist() == [0, 255]  # fmt: skip


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["PNG", "JPEG", "TIFF"])
def test_every_orientation_is_undone(orientation: int, kind: str) -> None:
    pixels = np.zeros((16, 32, 3), np.uint8)
    pixels[:8, :8], pixels[8:, 24:] = (255, 0, 0), (0, 0, 255)
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = encoded(Image.fromarray(pixels), kind, exif=exif)
    with Image.open(io.BytesIO(data)) as image:
        expected = np.asarray(ImageOps.exif_transpose(image).convert("RGB"))
    decoded = decode_rgb(data)
    assert decoded.shape == ((32, 16, 3) if orientation > 4 else (16, 32, 3))
    assert np.array_equal(decoded, expected)


@pytest.mark.parametrize("kind", ["GIF", "PPM", "ICO"])
def test_other_formats_under_our_suffix_are_refused(tmp_path: Path, noise, kind: str) -> None:
    path = tmp_path / "x.png"
    path.write_bytes(encoded(Image.fromarray(noise(0, 16, 16)), kind))
    with pytest.raises(RsforgeError, match=r"x\.png: it is not an intact PNG, JPEG, BMP, TIFF, WebP") as caught:
        read_rgb(path)
    assert caught.value.code == "RSF-D002"


def test_numbers_without_a_declared_range_are_refused() -> None:
    assert "floating point" in reason(encoded(Image.new("F", (4, 4)), "TIFF"))
    assert "LAB" in reason(encoded(Image.new("LAB", (4, 4)), "TIFF"))
    assert "signed" in reason(encoded(Image.new("I", (4, 4)), "TIFF"))
    assert "signed" in reason(tiff(np.zeros((4, 4), "<i2"), kind=2))


def test_more_bands_than_a_picture_has_are_refused() -> None:
    assert "bands: 12" in reason(tiff(np.zeros((4, 4, 12), "<i2"), kind=2, samples=12))
    rgb_and_infrared = tiff(np.zeros((4, 4, 4), np.uint8), photometric=2, bits=8, samples=4)
    extra = rgb_and_infrared[:-4].replace(struct.pack("<H", 10), struct.pack("<H", 11), 1)
    assert decode_rgb(rgb_and_infrared).shape == (4, 4, 3)  # undeclared, a fourth band is alpha
    extra = extra.replace(struct.pack("<HHII", 339, 4, 1, 1), struct.pack("<HHII", 338, 4, 1, 0))
    extra += struct.pack("<HHII", 339, 4, 1, 1) + b"\0\0\0\0"
    assert "4 bands" in reason(extra)


@pytest.mark.parametrize("side", [7072, 13300, 60000])
def test_bombs_are_refused_from_their_header(side: int) -> None:
    assert side * side > MAX_PIXELS
    header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    assert "pixels" in reason(png(header, (b"IDAT", zlib.compress(b"\0" * 100))))


def test_nothing_in_it_is_refused() -> None:
    assert reason(b"") == "the file is empty"
    empty = struct.pack(">IIBBBBB", 0, 0, 8, 2, 0, 0, 0)
    assert reason(png(empty, (b"IDAT", zlib.compress(b""))))
    assert "damaged TIFF" in reason(b"II*\0" + b"\xff" * 40)


PICTURES = {
    kind: encoded(Image.fromarray(np.random.default_rng(1).integers(0, 256, (24, 20, 3), np.uint8)), kind)
    for kind in ("PNG", "JPEG", "BMP", "TIFF")
}


@pytest.mark.parametrize("kind", PICTURES)
def test_every_truncation_is_refused(kind: str) -> None:
    data = PICTURES[kind]
    # The end marker of a JPEG or PNG carries no pixels.
    for length in range(0, len(data) - 14, max(1, len(data) // 60)):
        assert reason(data[:length])


@given(st.sampled_from(sorted(PICTURES)), st.lists(st.tuples(st.integers(0, 1500), st.integers(0, 255)), max_size=8))
@settings(max_examples=150, deadline=None)
def test_damage_ends_in_pixels_or_in_a_reason(kind: str, flips: list[tuple[int, int]]) -> None:
    data = bytearray(PICTURES[kind])
    for position, value in flips:
        data[position % len(data)] = value
    try:
        decoded = decode_rgb(bytes(data))
    except UnreadableError as error:
        assert str(error) and "\n" not in str(error)
    else:
        assert decoded.dtype == np.uint8 and decoded.ndim == 3 and decoded.shape[2] == 3


def test_what_is_no_file_is_refused_without_waiting(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.png")
    (tmp_path / "dangling.png").symlink_to("nowhere")
    (tmp_path / "self.png").symlink_to("self.png")
    for path in [*find_images(tmp_path), tmp_path / "absent.png"]:
        with pytest.raises(RsforgeError) as caught:
            read_rgb(path)
        assert caught.value.code == "RSF-D002" and str(path) in caught.value.what
