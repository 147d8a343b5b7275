"""Folders as data sets are published and as programs of other systems leave them, of small drawn images."""

from __future__ import annotations

import io
import json
import tarfile
import unicodedata
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

HEAD = "s1_fileName;s2_fileName;coordinates;country;date-time;scale;region;season;operational-mode;polarisation;bands"
IMAGE = pa.struct({"bytes": pa.binary(), "path": pa.string()})


def draw(seed: int, size: int = 32, *, grey: bool = False) -> Image.Image:
    """Blurred noise, no two alike."""
    noise = np.random.default_rng(seed).integers(20, 235, (size // 4, size // 4, 3), np.uint8)
    image = Image.fromarray(noise).resize((size, size), Image.Resampling.BICUBIC)
    return image.convert("L") if grey else image


def save(path: Path, seed: int, *, grey: bool = False) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    draw(seed, grey=grey).save(path)


def encode(seed: int) -> bytes:
    file = io.BytesIO()
    draw(seed).save(file, "PNG")
    return file.getvalue()


def save_pairs(root: Path, *names: tuple[str, str], first: int = 0) -> Path:
    """A grey SAR and a coloured optical image under both of each of ``names``."""
    for seed, (sar, optical) in enumerate(names, first):
        save(root / sar, seed, grey=True)
        save(root / optical, 1000 + seed)
    return root


def sen12_as_downloaded(root: Path) -> Path:
    """Two scenes of a season, each in folders of its own."""
    stem = "ROIs1970_fall/s{0}_{1}/ROIs1970_fall_s{0}_{1}_p{2}.png"
    places = [(scene, patch) for scene in (3, 12) for patch in (5, 6, 40)]
    return save_pairs(root, *((stem.format(1, *place), stem.format(2, *place)) for place in places))


def products_in_names(root: Path) -> Path:
    stem = "Train_{0}_20190804_tile_{1}.png"
    folders = ("SAR-Intensity", "PS-RGB")
    return save_pairs(
        root, *((f"{a}/{stem.format(a, n)}", f"{b}/{stem.format(b, n)}") for a, b in [folders] for n in range(4))
    )


def names_of_a_mac(root: Path) -> Path:
    names = [f"Zürich_{n}.png" for n in range(4)]
    pairs = [(unicodedata.normalize("NFC", n), unicodedata.normalize("NFD", n)) for n in names]
    return save_pairs(root, *((f"s1/{sar}", f"s2/{optical}") for sar, optical in pairs))


def cache_of_a_hub(root: Path) -> Path:
    """The snapshot of a cache: every image is a link to a blob without a suffix."""
    for k, side in enumerate(("s1", "s2")):
        for n in range(4):
            blob = root / "blobs" / f"{k}{n:039x}"
            blob.parent.mkdir(parents=True, exist_ok=True)
            with blob.open("wb") as file:
                draw(10 * k + n, grey=not k).save(file, "PNG")
            link = root / "snapshots" / "abc" / side / f"{n}.png"
            link.parent.mkdir(parents=True, exist_ok=True)
            link.symlink_to(Path("../../../blobs") / blob.name)
    return root / "snapshots" / "abc"


def table_of_a_spreadsheet(root: Path, encoding: str, country: str = "Österreich") -> Path:
    rows = [HEAD]
    for n in range(3):
        sar, optical = f"r_007/s1_007/img_p{n}.png", f"r_007/s2_007/img_p{n}.png"
        save_pairs(root, (sar, optical), first=n)
        rows.append(f"{sar};{optical};(16.4, 48.2);{country};2021;10;temperate;summer;IW;VV;RGB")
    (root / "data_r_007.csv").write_bytes("\r\n".join(rows).encode(encoding))
    return root


def overlapping_tiles(root: Path, name: str, *, size: int = 64, stride: int = 32) -> Path:
    """Tiles of two scenes that share pixels; ``name`` is formatted with scene, row, col, row_end and col_end."""
    root.mkdir(parents=True, exist_ok=True)
    for seed, scene in enumerate(("P1", "P2")):
        whole = np.asarray(draw(seed, 160).resize((160, 160)))
        for row in range(0, 97, stride):
            for col in range(0, 97, stride):
                places = {"scene": scene, "row": row, "col": col, "row_end": row + size, "col_end": col + size}
                cut = whole[row : row + size, col : col + size]
                Image.fromarray(cut).save(root / name.format(**places))
    return root


def karpathy(path: Path) -> Path:
    images = []
    for n, side in enumerate(("train", "val", "test")):
        sentences = [{"tokens": ["x"], "raw": f"port {n} {k} .", "sentid": k} for k in range(5)]
        images.append({"filename": f"port_{n}.png", "sentences": sentences, "split": side, "imgid": n})
    path.write_text(json.dumps({"images": images, "dataset": "rsicd"}))
    return path


def write_parquet(path: Path, captions: pa.Array, *, first: int = 0, images: pa.Array | None = None, **columns) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    cells = [{"bytes": encode(first + n), "path": f"{n}.png"} for n in range(len(captions))]
    own = pa.array(cells, IMAGE) if images is None else images
    pq.write_table(pa.table({"image": own, "captions": captions, **columns}), path)
    return path


def shards_of_sides(root: Path) -> Path:
    for k, side in enumerate(("train", "test", "valid")):
        captions = pa.array([[f"{side} {n}"] for n in range(3 - k)], pa.list_(pa.string()))
        write_parquet(root / "data" / f"{side}-00000-of-00001.parquet", captions, first=10 * k)
    return root


def write_tar(path: Path, members: dict[str, bytes]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w") as tar:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return path


def webdataset(path: Path) -> Path:
    members = {}
    for n in range(3):
        members |= {f"{n:04}.png": encode(n), f"{n:04}.txt": f"caption {n}".encode()}
    return write_tar(path, members)
