"""Hostile data files: images, Parquet, HDF5, MATLAB, ENVI, GeoTIFF side-cars, tables, settings, names and links."""

# ruff: noqa: E501 - tables of hostile values, one a line

from __future__ import annotations

import io
import shutil
import struct
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import scipy.io
from PIL import Image

from tests.attacks.campaign import HANDLED, Attack
from tests.attacks.checkpoints import RUNS

CANARY = "../secret.txt"
SOUND_IMAGES = 4
TRAIN = "vae train --data-dir tiles --image-size 16 --no-perceptual --num-workers 0 --device cpu --dry-run"
AUDIT = "data audit --data-dir pairs --output-dir audit"
CUBE = "data hsi-patches --input cube --output-dir out --patch-size 8"
PARQUET = "data parquet-to-jsonl --parquet-path a.parquet --output-dir out"
TABLE = "data captions-to-jsonl --caption-file captions.txt --images-dir tiles"
TRANSLATE = "cyclegan translate --checkpoint c.pt --input a.tif --output out.tif --device cpu"

BOMB = zlib.compress(bytes(64 << 20))

Write = Callable[[Path], Any]


def encode(kind: str, size: tuple[int, int] = (16, 16), mode: str = "RGB") -> bytes:
    buffer = io.BytesIO()
    Image.new(mode, size).save(buffer, kind)
    return buffer.getvalue()


def png_chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def png(width: int, height: int, *extra: bytes, data: bytes = b"", depth: int = 8, colour: int = 2) -> bytes:
    """A PNG whose header says what it likes."""
    header = png_chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0))
    body = png_chunk(b"IDAT", zlib.compress(data))
    return b"\x89PNG\r\n\x1a\n" + header + b"".join(extra) + body + png_chunk(b"IEND", b"")


def tiff(tags: dict[int, tuple[int, int, int]]) -> bytes:
    """A little-endian TIFF of one directory: ``{tag: (type, count, value)}`` and no pixels."""
    rows = b"".join(struct.pack("<HHII", tag, *tags[tag]) for tag in sorted(tags))
    return b"II*\0" + struct.pack("<I", 8) + struct.pack("<H", len(tags)) + rows + struct.pack("<I", 0)


def size_tags(width: int, height: int) -> dict[int, tuple[int, int, int]]:
    return {256: (4, 1, width), 257: (4, 1, height), 258: (3, 1, 8), 259: (3, 1, 1), 262: (3, 1, 1), 273: (4, 1, 8),
            277: (3, 1, 1), 278: (4, 1, height), 279: (4, 1, 100)}  # fmt: skip


IMAGES: dict[str, bytes] = {
    "empty": b"", "one byte": b"\x89", "text": b"hello" * 99, "html": b"<html><script>alert(1)</script></html>",
    "truncated png": encode("PNG")[:60], "truncated jpeg": encode("JPEG")[:200], "gif": encode("GIF"),
    "pdf": b"%PDF-1.7\n" + bytes(200), "postscript": b"%!PS-Adobe-3.0 EPSF\n{loop} loop\n", "svg": b"<svg/>",
    "zip": b"PK\x03\x04" + bytes(200), "elf": b"\x7fELF" + bytes(200), "pickle": b"\x80\x04cos\nsystem\n(S'x'\ntR.",
    "huge png": png(10**9, 10**9), "wide png": png(2**31 - 1, 1), "png of no size": png(0, 0),
    "bomb png": png(13300, 13300, data=bytes(1 << 20)), "png of 16 GB": png(60000, 60000),
    "short png": png(16, 16, data=bytes(10)), "odd png": png(16, 16, depth=3, colour=9),
    "text bomb": png(16, 16, png_chunk(b"zTXt", b"k\0\0" + BOMB)),
    "profile bomb": png(16, 16, png_chunk(b"iCCP", b"k\0\0" + BOMB)),
    "huge chunk": encode("PNG")[:8] + struct.pack(">I", 2**31 - 1) + b"IHDR",
    "huge tiff": tiff(size_tags(2**31, 2**31)), "tiff of no size": tiff(size_tags(0, 0)),
    "tiff of many tags": tiff({i: (4, 1, i) for i in range(300, 9000)}), "tiff that turns": b"II*\0" + struct.pack("<IHI", 8, 0, 8),
    "tiff far away": b"II*\0" + struct.pack("<I", 2**31), "big tiff": b"II+\0\x08\0\0\0" + struct.pack("<Q", 2**62),
    "tiff of endless strips": tiff(size_tags(16, 16) | {273: (4, 2**30, 8), 279: (4, 2**30, 8)}),
    "huge jpeg": encode("JPEG").replace(struct.pack(">HH", 16, 16), struct.pack(">HH", 65500, 65500)),
    "jpeg of two sizes": encode("JPEG") + encode("JPEG", (99, 99)), "one pixel": encode("PNG", (1, 1)),
    "grey with alpha": encode("PNG", mode="LA"), "float tiff": encode("TIFF", mode="F"), "cmyk": encode("JPEG", mode="CMYK"),
    "bmp of negative size": encode("BMP")[:18] + struct.pack("<ii", -16, -(2**31)) + encode("BMP")[26:],
    "vrt": b'<VRTDataset rasterXSize="8" rasterYSize="8"><VRTRasterBand dataType="Byte" band="1"><SimpleSource>'
           b"<SourceFilename>../secret.txt</SourceFilename></SimpleSource></VRTRasterBand></VRTDataset>",
    "vrt to the network": b'<VRTDataset rasterXSize="8" rasterYSize="8"><VRTRasterBand dataType="Byte" band="1"><SimpleSource>'
                          b"<SourceFilename>/vsicurl/http://127.0.0.1:9/a.tif</SourceFilename></SimpleSource></VRTRasterBand></VRTDataset>",
}  # fmt: skip


def tiles(place: Path) -> Path:
    shutil.copytree(RUNS / "tiles", place / "tiles")
    return place / "tiles"


def image_attacks() -> Iterator[Attack]:
    for name, data in IMAGES.items():
        suffix = ".tif" if "tiff" in name or "vrt" in name else ".png"

        def as_tile(place: Path, data: bytes = data, suffix: str = suffix) -> None:
            (tiles(place) / f"9{suffix}").write_bytes(data)

        def as_pair(place: Path, data: bytes = data, suffix: str = suffix) -> None:
            shutil.copytree(RUNS / "pairs", place / "pairs")
            for modality in ("s1", "s2"):
                (place / "pairs" / "agri" / modality / f"x_{modality}_p99{suffix}").write_bytes(data)

        def as_scene(place: Path, data: bytes = data) -> None:
            shutil.copy(RUNS / "cyclegan_pairs" / "latest_model.pt", place / "c.pt")
            (place / "a.tif").write_bytes(data)

        yield Attack(f"{name} among tiles", TRAIN, as_tile, HANDLED)
        yield Attack(f"{name} among pairs", AUDIT, as_pair, HANDLED)
        yield Attack(f"{name} as a scene", TRANSLATE, as_scene, HANDLED)


def parquet_file(**columns: Any) -> Write:
    return lambda place: pq.write_table(
        pa.table(columns), place / "a.parquet", compression="zstd", use_dictionary=False
    )


def dictionary_bomb(place: Path) -> None:
    """32 MiB that each of 4096 rows names."""
    values = pa.DictionaryArray.from_arrays(pa.array([0] * 4096, pa.int32()), pa.array([bytes(32 << 20)]))
    table = pa.table({"image": values, "caption": ["x"] * 4096})
    pq.write_table(
        table, place / "a.parquet", compression="zstd", dictionary_pagesize_limit=1 << 30, write_statistics=False
    )


def change_parquet(change: Callable[[bytes], bytes]) -> Write:
    def write(place: Path) -> None:
        parquet_file(image=[encode("PNG")] * 4, caption=["x"] * 4)(place)
        (place / "a.parquet").write_bytes(change((place / "a.parquet").read_bytes()))

    return write


PARQUETS: dict[str, Write] = {
    "a row group of 1 GiB": parquet_file(image=[bytes(32 << 20)] * 32, caption=["x"] * 32),
    "a dictionary of 128 GiB": dictionary_bomb,
    "fifty million rows": lambda place: pq.write_table(
        pa.table({"image": pa.nulls(5 * 10**6, pa.binary()), "caption": pa.nulls(5 * 10**6, pa.string())}), place / "a.parquet"),
    "no column": parquet_file(x=[1]),
    "paths outside": parquet_file(image=[CANARY, "/etc/hostname", "..\\secret.txt", "a\0b"], caption=["x"] * 4),
    "paths as bytes": parquet_file(image=[CANARY.encode()] * 4, caption=["x"] * 4),
    "captions that are numbers": parquet_file(image=[encode("PNG")] * 4, caption=[1, 2, 3, 4]),
    "a caption of 32 MiB": parquet_file(image=[encode("PNG")], caption=["x" * (32 << 20)]),
    "captions nested deep": parquet_file(image=[encode("PNG")], caption=[[[[["x"]]]]]),
    "images that are html": parquet_file(image=[b"<html>"] * 4, caption=["x"] * 4),
    "images that are bombs": parquet_file(image=[IMAGES["bomb png"], IMAGES["huge png"]], caption=["x"] * 2),
    "text that is not UTF-8": parquet_file(image=[encode("PNG")], caption=pa.array([b"\xff\xfe"])),
    "two columns of one name": lambda place: pq.write_table(
        pa.Table.from_arrays([pa.array([b"x"]), pa.array([b"y"])], names=["image", "image"]), place / "a.parquet"),
    "a torn footer": change_parquet(lambda data: data[:-20]),
    "a footer of 2 GiB": change_parquet(lambda data: data[:-8] + struct.pack("<I", 2**31 - 1) + b"PAR1"),
    "only magic words": change_parquet(lambda data: b"PAR1PAR1"),
    "zeros within": change_parquet(lambda data: data[:40] + bytes(60) + data[100:]),
    "noise in the footer": change_parquet(lambda data: data[:-60] + bytes(reversed(data[-60:-8])) + data[-8:]),
    "nothing": change_parquet(lambda data: b""),
    "an arrow file": change_parquet(lambda data: b"ARROW1\0\0" + data),
}  # fmt: skip


def hdf5(fill: Callable[[h5py.File], Any]) -> Write:
    def write(place: Path) -> None:
        (place / "cube").mkdir()
        with h5py.File(place / "cube" / "a.h5", "w") as file:
            fill(file)

    return write


def in_cube(name: str, data: bytes, **others: bytes) -> Write:
    def write(place: Path) -> None:
        (place / "cube").mkdir()
        for file, contents in {name: data, **{k.replace("_", "."): v for k, v in others.items()}}.items():
            (place / "cube" / file).write_bytes(contents)

    return write


def virtual(file: h5py.File) -> None:
    layout = h5py.VirtualLayout(shape=(8, 8, 4), dtype="u1")
    layout[:] = h5py.VirtualSource("../../secret.txt", "x", shape=(8, 8, 4))
    file.create_virtual_dataset("cube", layout)


def matlab(**values: Any) -> Write:
    def write(place: Path) -> None:
        (place / "cube").mkdir()
        scipy.io.savemat(place / "cube" / "a.mat", values, do_compression=True)

    return write


def envi(**changes: Any) -> Write:
    fields = {"samples": 16, "lines": 16, "bands": 4, "header offset": 0, "data type": 1, "interleave": "bsq",
              "byte order": 0, "wavelength": "{450, 550, 650, 850}", "wavelength units": "nm"}  # fmt: skip
    text = "".join(
        f"{k} = {v}\n" for k, v in {**fields, **{k.replace("_", " "): v for k, v in changes.items()}}.items()
    )
    return in_cube("a.hdr", f"ENVI\n{text}".encode(), a_img=bytes(1024))


CUBES: dict[str, Write] = {
    "hdf5 of 4 TB": hdf5(lambda f: f.create_dataset("cube", (10**4, 10**4, 10**4), "f4", chunks=(64, 64, 64))),
    "hdf5 of many large sets": hdf5(lambda f: [f.create_dataset(f"c{i}", (2000, 2000, 200), "f4", chunks=(64, 64, 8)) for i in range(50)]),
    "hdf5 with an external link": hdf5(lambda f: f.__setitem__("cube", h5py.ExternalLink("../../secret.txt", "/x"))),
    "hdf5 with external storage": hdf5(lambda f: f.create_dataset("cube", (2, 2, 4), "u1", external=[("../../secret.txt", 0, 16)])),
    "hdf5 that is virtual": hdf5(virtual),
    "hdf5 with a loop": hdf5(lambda f: f.__setitem__("cube", h5py.SoftLink("/cube"))),
    "hdf5 with a group in itself": hdf5(lambda f: f.create_group("a").__setitem__("a", f["a"])),
    "hdf5 of text": hdf5(lambda f: f.create_dataset("cube", data=np.array([b"x"] * 64).reshape(4, 4, 4))),
    "hdf5 of one axis": hdf5(lambda f: f.create_dataset("cube", data=np.zeros(64))),
    "hdf5 of nothing": hdf5(lambda f: None),
    "hdf5 of no size": hdf5(lambda f: f.create_dataset("cube", (0, 0, 0))),
    "hdf5 of NaN": hdf5(lambda f: f.create_dataset("cube", data=np.full((16, 16, 4), np.nan))),
    "hdf5 with odd wavelengths": hdf5(lambda f: (f.create_dataset("cube", data=np.ones((16, 16, 4))), f.create_dataset("wavelength", data=[b"x"] * 4))),
    "torn hdf5": in_cube("a.h5", b"\x89HDF\r\n\x1a\n" + bytes(100)),
    "hdf5 of zeros": in_cube("a.h5", bytes(5000)),
    "matlab of text": matlab(cube="hello"),
    "matlab of cells": matlab(cube=np.array([[1, "x"], ["y", 2]], dtype=object)),
    "matlab of structs": matlab(cube={"a": {"b": {"c": 1}}}),
    "matlab of complex numbers": matlab(cube=np.ones((16, 16, 4)) * 1j),
    "matlab that expands": matlab(cube=np.zeros((512, 512, 512), "u1")),
    "matlab of two cubes": matlab(a=np.ones((16, 16, 4)), b=np.ones((16, 16, 4))),
    "torn matlab": in_cube("a.mat", b"MATLAB 5.0 MAT-file" + bytes(105) + b"\0\1IM" + b"\x0e\0\0\0\xff\xff\xff\x7f"),
    "matlab 4": in_cube("a.mat", struct.pack("<5i", 0, 2**30, 2**30, 0, 2) + b"x\0"),
    **{f"envi with {k} {str(v)[:12]}": envi(**{k: v}) for k, values in {
        "samples": (0, -1, 10**12, "x", "{1}", 1.5), "lines": (0, -5, 2**63), "bands": (0, -1, 10**9, ""),
        "data_type": (0, 99, "x", 7, -1), "interleave": ("zip", "", 3), "byte_order": (7, "x"),
        "header_offset": (-1, 10**15, "x"), "wavelength": ("{}", "{a, b}", "{450", "{nan, nan, nan, nan}", "{1e999, 2, 3, 4}", "{-1, -2, -3, -4}"),
        "map_info": ("{x}", "{UTM, 1, 1, 0, 0, 0, 0, 99, North}", "{UTM, nan, nan, nan, nan, inf, inf}"),
        "data_ignore_value": ("x", "nan"), "fwhm": ("{x}",), "description": ("{" + "x" * 100,), "bbl": ("{2, x}",),
        "reflectance_scale_factor": (0, "x", "nan"),
    }.items() for v in values},
    "envi of words": in_cube("a.hdr", b"ENVI\nsamples\nlines ==\n= 3\n{}\n", a_img=bytes(64)),
    "envi of a megabyte": in_cube("a.hdr", b"ENVI\n" + b"x = {" * 200_000, a_img=bytes(64)),
    "envi in no language": in_cube("a.hdr", b"ENVI\n\xff\xfe\x00 = \x00\n", a_img=bytes(64)),
    "envi without data": in_cube("a.hdr", b"ENVI\nsamples = 4\nlines = 4\nbands = 4\ndata type = 1\n"),
    "an empty cube": in_cube("a.tif", b""), "a cube that is html": in_cube("a.hdr", b"<html>"),
}  # fmt: skip


def attacks() -> Iterator[Attack]:
    yield from image_attacks()
    for name, write in PARQUETS.items():
        yield Attack(f"parquet: {name}", PARQUET, write, HANDLED)
    for name, write in CUBES.items():
        yield Attack(f"cube: {name}", CUBE, write, HANDLED)
