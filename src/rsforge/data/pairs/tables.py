"""``data_FOLDER.csv``: what is told of each pair of a folder, and written of patches."""

from __future__ import annotations

import csv
import io
import math
import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rsforge import durable
from rsforge.data.io.safe_paths import inside
from rsforge.data.io.windows import Window
from rsforge.errors import RsforgeError

COLUMNS = (
    "s1_fileName", "s2_fileName", "coordinates", "country", "date-time", "scale", "region", "season",
    "operational-mode", "polarisation", "bands", "scene", "row", "col", "height", "width",
)  # fmt: skip
_NUMBER = r"([-+]?\d+(?:\.\d*)?(?:[eE][-+]?\d+)?)"
_COORDINATES = re.compile(rf"[(\[]?\s*{_NUMBER}\s*,\s*{_NUMBER}\s*[)\]]?")
_UNKNOWN = {"", "nan", "none", "null", "n/a", "unknown"}


@dataclass(frozen=True)
class Row:
    """One pair as its table tells it; texts are empty, and the rest None, where it does not."""

    where: str
    sar: Path
    optical: Path
    scene: str
    window: Window | None
    region: str
    season: str
    country: str
    coordinates: tuple[float, float] | None


def table_of(root: Path, folder: str) -> Path:
    """The table of the pairs in ``folder``; that of the root itself has no name in it."""
    return root / (f"data_{folder}.csv" if folder else "data.csv")


def read_table(root: Path, path: Path) -> Iterator[Row]:
    """The rows of a table, one by one.

    A table without the two columns of file names, not in UTF-8, or whose window is no window raises RSF-D006; a file
    outside ``root`` RSF-D005.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file, skipinitialspace=True)
            names = [(name or "").strip() for name in reader.fieldnames or []]
            if not names:
                return
            if not {"s1_fileName", "s2_fileName"} <= set(names):
                raise _unusable(path, "it has no columns s1_fileName and s2_fileName", ", ".join(names))
            reader.fieldnames = names
            for record in reader:
                yield _row(root, f"{path}:{reader.line_num}", record)
    except UnicodeDecodeError as error:
        raise _unusable(path, "it is not UTF-8", f"byte {error.object[error.start]:#04x}") from None
    except csv.Error as error:
        raise _unusable(path, "it is not CSV", str(error)) from None


def _unusable(where: Path | str, reason: str, found: str) -> RsforgeError:
    return RsforgeError("RSF-D006", f"the table cannot be used: {reason}", where=str(where), found=found[:200])


def _row(root: Path, where: str, record: dict[str, Any]) -> Row:
    def text(name: str) -> str:
        value = (record.get(name) or "").strip()
        return "" if value.lower() in _UNKNOWN else value

    season = text("season").lower()
    return Row(
        where,
        _file(root, record["s1_fileName"], where),
        _file(root, record["s2_fileName"], where),
        text("scene"),
        _window([text(name) for name in ("row", "col", "height", "width")], where),
        text("region").lower(),
        "fall" if season == "autumn" else season,
        text("country"),
        parse_coordinates(text("coordinates")),
    )


def _file(root: Path, name: str | None, where: str) -> Path:
    return Path(os.path.normpath(inside(root, name or "", where=where)))


def _window(texts: list[str], where: str) -> Window | None:
    if not any(texts):
        return None
    if all(re.fullmatch(r"\d{1,9}", text) for text in texts):
        window = Window(*map(int, texts))
        if window.height and window.width:
            return window
    raise _unusable(where, "row, col, height and width are not those of a window", ", ".join(texts))


def parse_coordinates(text: str) -> tuple[float, float] | None:
    """(lon, lat) in degrees from text such as ``(12.49, 41.9)``; None when it is anything else."""
    if match := _COORDINATES.fullmatch(text.strip()):
        lon, lat = float(match[1]), float(match[2])
        if math.isfinite(lon) and abs(lon) <= 180 and abs(lat) <= 90:
            return lon, lat
    return None


def write_table(path: Path, rows: Iterable[dict[str, Any]]) -> None:
    """Write ``rows`` under ``COLUMNS``; what a row does not hold stays empty."""
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, COLUMNS, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    durable.write_text(path, text.getvalue())
