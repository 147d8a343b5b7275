"""Arrays that networks compute once and trainings read by index: float32 files that are mapped, each with a digest."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib import format as npy
from torch import Tensor

from rsforge import durable, leftovers
from rsforge.errors import RsforgeError

_MARK = b"rsforge sha256 :"  # stands before the digest that follows the array
_CHUNK = 1 << 24  # bytes read at once


def write_array(path: Path, batches: Iterable[Tensor], shape: Sequence[int]) -> None:
    """Write batches ``(B, ...)`` one after the other as a float32 ``.npy`` of ``shape (N, ...)``.

    The file is complete or absent, and ends in a digest of its name and contents, which readers of ``.npy`` files do
    not see. ``ValueError`` for batches that do not add up to ``shape``.
    """
    shape = tuple(int(extent) for extent in shape)
    rows = 0
    header = io.BytesIO()
    npy.write_array_header_1_0(header, {"descr": "<f4", "fortran_order": False, "shape": shape})
    leftovers.sweep_for([path])  # the folder may be no run's own
    with durable.open_atomic(path) as file:
        sha = _begin_digest(path)
        sha.update(header.getvalue())
        file.write(header.getvalue())
        for batch in batches:
            values = batch.detach().float().cpu().contiguous().numpy().astype("<f4", copy=False)
            rows += len(values)
            if values.shape[1:] != shape[1:] or rows > shape[0]:
                raise ValueError(f"a batch {values.shape} does not fit into {shape} at row {rows}")
            sha.update(values.data)
            file.write(values.data)
        if rows != shape[0]:
            raise ValueError(f"{rows} rows came where {shape[0]} were announced")
        file.write(_MARK + sha.digest())


def open_array(path: Path, expected_shape: Sequence[int]) -> np.memmap[Any, np.dtype[np.float32]]:
    """The array at ``path`` mapped read-only; absent, damaged or of another shape raises RSF-D003."""
    try:
        values = npy.open_memmap(path, mode="r")
    except (OSError, ValueError, EOFError) as error:
        raise _unusable_error(path, str(error)) from error
    found = f"{values.dtype} {values.shape}"
    wanted = f"float32 {tuple(expected_shape)}"
    if found != wanted or not values.flags.c_contiguous:
        raise _unusable_error(path, f"{found}, not {wanted}")
    return values


def check_array(path: Path, expected_shape: Sequence[int]) -> None:
    """RSF-D003 unless ``path`` holds what was written under this name, to the bit; reads the whole file."""
    open_array(path, expected_shape)
    sha = _begin_digest(path)
    left = path.stat().st_size - len(_MARK) - sha.digest_size
    with path.open("rb") as file:
        while left > 0 and (part := file.read(min(left, _CHUNK))):
            sha.update(part)
            left -= len(part)
        mark, digest = file.read(len(_MARK)), file.read()
    if mark != _MARK:
        raise _unusable_error(path, "it has no digest")
    if digest != sha.digest():
        raise _unusable_error(path, "its digest does not match")


def _begin_digest(path: Path) -> Any:
    return hashlib.sha256(path.name.encode())


def _unusable_error(path: Path, found: str) -> RsforgeError:
    fix = "remove the file; it is made again"
    return RsforgeError("RSF-D003", f"the stored array {path} is unusable", where=str(path), found=found, fix=fix)
