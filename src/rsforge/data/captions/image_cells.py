"""The images in the cells of a table: bytes, structures and lists of them, text in base64, and names of files."""

from __future__ import annotations

import base64
import io
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from PIL import Image

from rsforge.data.files.mask_paths import find_mask
from rsforge.data.files.safe_paths import resolve_inside
from rsforge.data.io.image_reader import UnreadableError, read_bytes

_LONGEST_PATH = 512  # characters


def read_cell(path: Path, cell: Any, place: str) -> bytes:
    """The bytes in a cell, or those of the file that it names, relative to the folder of the table.

    A file with a mask beside it is a PNG with that as alpha.
    """
    if isinstance(cell, pa.ListScalar | pa.LargeListScalar | pa.FixedSizeListScalar):
        items = cell.values if cell.is_valid else []
        if len(items) > 1:
            raise UnreadableError(f"it has {len(items)} images where one is expected")
        if not len(items):
            raise UnreadableError("it has no image")
        cell = items[0]
    value = _read_struct(cell) if pa.types.is_struct(cell.type) else cell.as_py()
    if isinstance(value, str):
        if decoded := _decode_base64(value):
            return decoded
        return _read_file(resolve_inside(path.parent, value, where=place))
    if not value:
        raise UnreadableError("it has no image")
    return bytes(value)


def _read_file(path: Path) -> bytes:
    data = read_bytes(path)
    if not find_mask(path):
        return data
    from rsforge.data.views.colours import decode_with_mask  # loads GDAL, which few tables need

    colours, valid = decode_with_mask(path, data)
    if valid is None:
        return data
    made = io.BytesIO()
    alpha = valid[..., None].astype(np.uint8) * 255
    Image.fromarray(np.concatenate([colours, alpha], axis=-1)).save(made, "png", compress_level=1)
    return made.getvalue()


def _decode_base64(text: str) -> bytes:
    """The bytes of an image that stands as text in a cell; none for a path."""
    if text.startswith("data:"):
        text = text.partition(",")[2]
    elif len(text) < _LONGEST_PATH:
        return b""
    try:
        return base64.b64decode(text, validate=True)
    except ValueError:
        return b""


def _read_struct(cell: Any) -> Any:
    """The first of the fields ``bytes`` and ``path`` of a cell that has a value."""
    names = {f.name for f in cell.type}
    if not cell.is_valid:
        return None
    for name in ("bytes", "path"):
        value = cell[name].as_py() if name in names else None
        if value is not None:
            return value
    return None
