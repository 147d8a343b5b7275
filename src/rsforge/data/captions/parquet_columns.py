"""Which columns of a Parquet file hold images and captions, by name and type."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from rsforge.data.captions.tables import KEYS
from rsforge.errors import RsforgeError

_IMAGES = ("image", "img", "images", "jpg", "jpeg", "png", "tif", "picture", "bytes", "image_bytes", "image.bytes")
_PATHS = (*_IMAGES, "image_path", "img_path", "filepath", "file_path", "file_name", "filename", "path")
SIDES = ("split", "subset", "partition", "fold")
"""Names of columns that say on which side a row stands."""
_BINARY = (pa.types.is_binary, pa.types.is_large_binary, pa.types.is_fixed_size_binary, pa.types.is_binary_view)
_TEXT = (pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view)
_LIST = (pa.types.is_list, pa.types.is_large_list, pa.types.is_fixed_size_list, pa.types.is_list_view)


def find_image_columns(schema: pa.Schema) -> list[str]:
    """The columns that may hold images: structures with ``bytes``, else binary ones, else names of files.

    Of several those whose names say images.
    """
    binary = [f.name for f in schema if _is_any_of(f.type, _BINARY) and f.name not in KEYS]
    structs = [f.name for f in schema if _is_image_struct(f.type) or _is_image_list(f.type)]
    found = structs or binary or [f.name for f in schema if _is_any_of(f.type, _TEXT) and f.name.lower() in _PATHS]
    return found if len(found) == 1 else [name for name in found if name.lower() in _IMAGES]


def find_caption_columns(schema: pa.Schema) -> list[str]:
    """The first column named as one of ``KEYS``, else all lists of texts."""
    named = {f.name.lower(): f.name for f in schema if _is_caption(f.type) or _is_any_of(f.type, _BINARY)}
    found = [named[key] for key in KEYS if key in named]
    found += [name for key in KEYS for name in sorted(named.values()) if re.fullmatch(rf"{key}[_ ]?\d+", name.lower())]
    lists = [f.name for f in schema if _is_any_of(f.type, _LIST) and _is_caption(f.type)]
    return found[:1] or lists


def _is_image_struct(kind: pa.DataType) -> bool:
    return pa.types.is_struct(kind) and any(c.name == "bytes" and _is_any_of(c.type, _BINARY) for c in kind)


def _is_image_list(kind: pa.DataType) -> bool:
    return _is_any_of(kind, _LIST) and _is_image_struct(kind.value_type)


def find_more_captions(schema: pa.Schema, column: str) -> list[str]:
    """The further columns of captions that are numbered: ``caption_1`` to ``caption_5``, ``raw_1``."""
    base = re.sub(r"[_ ]?\d+$", "", column)
    numbered = re.compile(rf"{re.escape(base)}[_ ]?\d+")
    return [f.name for f in schema if f.name != column and numbered.fullmatch(f.name) and _is_caption(f.type)]


def find_side_column(schema: pa.Schema) -> str:
    """The column that says on which side of a split a row stands; empty for none."""
    texts = {f.name.lower(): f.name for f in schema if _is_any_of(f.type, _TEXT)}
    return next((texts[name] for name in SIDES if name in texts), "")


def _is_caption(kind: pa.DataType) -> bool:
    if _is_any_of(kind, _LIST):
        return _is_caption(kind.value_type)
    if pa.types.is_struct(kind):
        return any(c.name in KEYS and _is_any_of(c.type, _TEXT) for c in kind)
    return _is_any_of(kind, _TEXT)


def _is_any_of(kind: pa.DataType, tests: Sequence[Any]) -> bool:
    kind = kind.value_type if pa.types.is_dictionary(kind) else kind
    return any(test(kind) for test in tests)


def choose_column(path: Path, schema: pa.Schema, given: str | None, what: str, found: list[str]) -> str:
    """The column ``given`` by the user, else the only one ``found``; RSF-D006 when there is none or no single one."""
    there = ", ".join(f"{f.name} ({str(f.type)[:60]})" for f in schema)[:600]
    if given is not None:
        if schema.names.count(given) == 1 and _is_usable(schema.field(given).type, what):
            return given
        raise unusable_error(
            path, f"{given!r} is no column of {what}s", f"it has {there}", f"give --{what}-column NAME"
        )
    if len(found) != 1:
        reason = f"more than one column may be the {what}s" if found else f"no column of {what}s"
        raise unusable_error(path, reason, f"it has {there}", f"give --{what}-column NAME")
    return found[0]


def _is_usable(kind: pa.DataType, what: str) -> bool:
    """Whether a column of this type may be named as that of images or captions: paths and bytes may be either."""
    if _is_caption(kind) or _is_any_of(kind, _BINARY):
        return True
    return what == "image" and (pa.types.is_struct(kind) or _is_image_list(kind))


def is_needed(leaf: str, schema: pa.Schema, image: str, captions: str) -> bool:
    """Whether the leaf column ``leaf`` has to be read for the columns ``image`` and ``captions``."""
    if leaf == captions or leaf.startswith(f"{captions}."):
        return True
    kind = schema.field(image).type
    if pa.types.is_struct(kind):
        return leaf in (f"{image}.bytes", f"{image}.path")
    if _is_image_list(kind):
        return leaf.startswith(f"{image}.") and leaf.rpartition(".")[2] in ("bytes", "path")
    return leaf == image


def unusable_error(path: Path, reason: str, found: str = "", fix: str = "") -> RsforgeError:
    """RSF-D006 for a Parquet file that cannot be used."""
    return RsforgeError("RSF-D006", f"cannot use {path.name}: {reason}", where=str(path), found=found, fix=fix)
