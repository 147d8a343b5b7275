"""``data_FOLDER.csv``: metadata of the pairs of a folder, read and written."""

from __future__ import annotations

import csv
import io
import math
import os
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rsforge import durable
from rsforge.data.files.safe_paths import resolve_inside
from rsforge.data.io.windows import Window
from rsforge.data.tables import table as text_tables
from rsforge.errors import RsforgeError

COLUMNS = (
    "s1_fileName", "s2_fileName", "coordinates", "country", "date-time", "scale", "region", "season",
    "operational-mode", "polarisation", "bands", "scene", "row", "col", "height", "width",
)  # fmt: skip
_NUMBER = r"([-+]?\d+(?:\.\d*)?(?:[eE][-+]?\d+)?)"
_COORDINATES = re.compile(rf"[(\[]?\s*{_NUMBER}\s*,\s*{_NUMBER}\s*[)\]]?")
UNKNOWN_WORDS = {"", "nan", "none", "null", "n/a", "unknown"}
"""How tables write that a value is not known, in lower case."""


@dataclass(frozen=True)
class TableRow:
    """The row of one pair; unknown texts are empty, other unknown values None. ``where`` is file and line.

    ``metadata`` are all its columns as texts, those of the user too.
    """

    where: str
    sar: Path
    optical: Path
    scene: str
    window: Window | None
    region: str
    season: str
    country: str
    coordinates: tuple[float, float] | None
    metadata: Mapping[str, str]


def table_path(root: Path, folder: str) -> Path:
    """The table of the pairs in ``folder``: ``data_FOLDER.csv``, or ``data.csv`` for the root itself."""
    return root / (f"data_{folder}.csv" if folder else "data.csv")


def read_table(root: Path, path: Path, tell: Callable[[str], None] = lambda sentence: None) -> Iterator[TableRow]:
    """The rows of a table, one by one, whatever program saved it; ``tell`` gets how it was read, where that is said.

    RSF-D006 for a table without the two columns of file names, in no known encoding, or with an invalid window;
    RSF-D005 for a file outside ``root``.
    """
    table = text_tables.read_table(path)
    if table.sentence:
        tell(table.sentence)
    if not table.columns:
        return
    columns = {name: text_tables.find_column(table.columns, (name,)) for name in COLUMNS}
    if not (columns["s1_fileName"] and columns["s2_fileName"]):
        found = ", ".join(table.columns)
        raise _table_error(path, "it has no columns s1_fileName and s2_fileName", found)
    renamed = {found: name for name, found in columns.items() if found}
    for line, record in table.records():
        yield _parse_row(root, f"{path}:{line}", {renamed.get(name, name): cell for name, cell in record.items()})


def _table_error(where: Path | str, reason: str, found: str) -> RsforgeError:
    return RsforgeError("RSF-D006", f"the table cannot be used: {reason}", where=str(where), found=found[:200])


def _parse_row(root: Path, where: str, record: dict[str, Any]) -> TableRow:
    def text(name: str) -> str:
        value = (record.get(name) or "").strip()
        return "" if value.lower() in UNKNOWN_WORDS else value

    return TableRow(
        where=where,
        sar=_resolve_file(root, record["s1_fileName"], where),
        optical=_resolve_file(root, record["s2_fileName"], where),
        scene=text("scene"),
        window=_parse_window([text(name) for name in ("row", "col", "height", "width")], where),
        region=text("region").lower(),
        season=name_season(text("season")),
        country=text("country"),
        coordinates=parse_coordinates(text("coordinates")),
        # Most columns repeat a few words over many thousand rows.
        metadata={name: sys.intern(text(name)) for name in record if name},
    )


def name_season(season: str) -> str:
    """The season in the data sets' words: in lower case, ``fall`` for ``autumn``."""
    lowered = season.lower()
    return "fall" if lowered == "autumn" else lowered


def _resolve_file(root: Path, name: str | None, where: str) -> Path:
    return Path(os.path.normpath(resolve_inside(root, name or "", where=where)))


def _parse_window(texts: list[str], where: str) -> Window | None:
    if not any(texts):
        return None
    if all(re.fullmatch(r"\d{1,9}", text) for text in texts):
        window = Window(*map(int, texts))
        if window.height and window.width:
            return window
    raise _table_error(where, "row, col, height and width are not those of a window", ", ".join(texts))


def parse_coordinates(text: str) -> tuple[float, float] | None:
    """(longitude, latitude) in degrees from text such as ``(12.49, 41.9)``; None for any other text."""
    match = _COORDINATES.fullmatch(text.strip())
    if match is None:
        return None
    lon, lat = float(match[1]), float(match[2])
    if math.isfinite(lon) and abs(lon) <= 180 and abs(lat) <= 90:
        return lon, lat
    return None


def write_table(path: Path, rows: Iterable[dict[str, Any]]) -> None:
    """Write ``rows`` with the columns ``COLUMNS``; missing values stay empty."""
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, COLUMNS, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    durable.write_text(path, text.getvalue())
