"""Scenes into patches: windows with data, encoded without loss, and the row that tells where each was."""

from __future__ import annotations

import io
import itertools
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from rsforge import durable
from rsforge.data.io import geotiff
from rsforge.data.io.image_reader import UnreadableError, unreadable
from rsforge.data.io.rasters import Opened, Raster, opened
from rsforge.data.io.threads import in_threads
from rsforge.data.io.windows import Window
from rsforge.data.pairs.scene_pairs import Scene

_SAMPLED, _VALUES = 8, 1 << 16


@dataclass(frozen=True)
class Patch:
    """A window of a scene, encoded; None where it holds too little data. ``suffixes`` are the files' (SAR, optical)."""

    window: Window
    files: tuple[bytes, bytes] | None
    suffixes: tuple[str, str]


def sample(scene: Scene, windows: list[Window]) -> npt.NDArray[Any]:
    """SAR values that hold data, from a few windows over the scene; RSF-D002 when one cannot be read.

    Where those hold none, the other windows are tried until one does.
    """
    spread = np.linspace(0, len(windows) - 1, min(_SAMPLED, len(windows))).astype(int).tolist()
    others = (k for k in range(len(windows)) if k not in spread)
    parts = [np.empty(0, scene.sar.dtype)]
    with ExitStack() as stack:
        raster = _held(stack, scene.sar.path)
        for k in itertools.chain(spread, others):
            if len(parts) > len(spread) and any(part.size for part in parts):
                break
            read = _read(raster, windows[k])
            values = read.values[read.valid].ravel()
            parts.append(values[:: -(-values.size // _VALUES) or 1])
    return np.concatenate(parts)


def patches(scene: Scene, windows: list[Window], *, min_valid: float) -> Iterator[Patch]:
    """Every window of the scene in order, read and encoded; RSF-D002 when one cannot be read."""
    with ExitStack() as stack:
        sar, optical = _held(stack, scene.sar.path), _held(stack, scene.optical.path)
        suffixes = _suffix(sar), _suffix(optical)

        def readings() -> Iterator[tuple[Window, Raster, Raster]]:
            # Consumed in this thread alone: an open raster may not be read by two.
            for window in windows:
                yield window, _read(sar, window), _read(optical, window)

        def encoded(reading: tuple[Window, Raster, Raster]) -> Patch:
            window, first, second = reading
            if (first.valid & second.valid).mean() < min_valid:
                return Patch(window, None, suffixes)
            return Patch(window, (encode(first, sar, window), encode(second, optical, window)), suffixes)

        yield from in_threads(encoded, readings())


def _held(stack: ExitStack, path: Path) -> Opened:
    try:
        return stack.enter_context(opened(path))
    except UnreadableError as reason:
        raise unreadable(path, str(reason)) from None


def _read(raster: Opened, window: Window) -> Raster:
    try:
        return raster.read(window)
    except UnreadableError as reason:
        raise unreadable(raster.info.path, str(reason)) from None


def _suffix(raster: Opened) -> str:
    return ".tif" if raster.notes is not None else ".png"


def encode(raster: Raster, source: Opened, window: Window) -> bytes:
    """The file of a patch: GeoTIFF where the source is a TIFF of measurements, else PNG of the same depth."""
    if source.notes is not None:
        return geotiff.encode(raster, source.notes, window)
    values = raster.values
    if not raster.valid.all():
        alpha = raster.valid[..., None] * np.iinfo(values.dtype).max
        values = np.concatenate([values, alpha.astype(values.dtype)], axis=-1)
    if values.dtype == np.uint16:
        return geotiff.encode_png(values)
    buffer = io.BytesIO()
    Image.fromarray(values.squeeze(-1) if values.shape[-1] == 1 else values).save(buffer, "PNG")
    return buffer.getvalue()


def write(patch: Patch, root: Path, stems: tuple[str, str]) -> dict[str, str]:
    """Write the two files of a patch below ``root``, their suffixes added to ``stems``; their names by column."""
    names = [stem + suffix for stem, suffix in zip(stems, patch.suffixes, strict=True)]
    for name, data in zip(names, patch.files or (), strict=True):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        durable.write_bytes(root / name, data)
    return dict(zip(("s1_fileName", "s2_fileName"), names, strict=True))
