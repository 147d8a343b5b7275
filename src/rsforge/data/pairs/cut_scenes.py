"""Pairs of scenes cut into patches: windows are read, encoded without loss and written to two files."""

from __future__ import annotations

import io
import itertools
import math
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from rsforge import durable
from rsforge.data.io.geotiff_writer import encode_geotiff, encode_png
from rsforge.data.io.image_reader import UnreadableError, unreadable_error
from rsforge.data.io.rasters import OpenRaster, Raster
from rsforge.data.io.threads import map_in_threads
from rsforge.data.io.windows import Window
from rsforge.data.pairs.scene_pairs import ScenePair
from rsforge.data.views.view import Modality, open_stored, open_view

SAR: Modality = "sar"
OPTICAL: Modality = "optical"
_SAMPLED = 8  # windows of a scene
_VALUES = 1 << 16  # values of a window


@dataclass(frozen=True)
class PairPatch:
    """A window of a scene as the contents of two files (SAR, optical), None where too few pixels are valid; and their
    suffixes."""

    window: Window
    files: tuple[bytes, bytes] | None
    suffixes: tuple[str, str]


def sample_sar_values(scene: ScenePair, windows: list[Window]) -> npt.NDArray[Any]:
    """Valid SAR values from a few windows spread over the scene; RSF-D002 when one cannot be read.

    Where those hold no valid value, the other windows are read until one does.
    """
    spread = np.linspace(0, len(windows) - 1, min(_SAMPLED, len(windows))).astype(int).tolist()
    others = (k for k in range(len(windows)) if k not in spread)
    parts = [np.empty(0, scene.sar.dtype)]
    with ExitStack() as stack:
        raster = _open(stack, open_view(scene.sar.path, scene.views.sar, "sar", scene.grid_of_sar), scene.sar.path)
        parts[0] = parts[0].astype(raster.info.dtype)
        for k in itertools.chain(spread, others):
            if len(parts) > len(spread) and any(part.size for part in parts):
                break
            read = _read_window(raster, windows[k])
            values = read.values[read.valid].ravel()
            step = max(math.ceil(values.size / _VALUES), 1)
            parts.append(values[::step])
    return np.concatenate(parts)


def cut_patches(scene: ScenePair, windows: list[Window], *, min_valid: float) -> Iterator[PairPatch]:
    """Every window of the scene in order, read and encoded; RSF-D002 when one cannot be read.

    Windows are read in the calling thread, because an open raster cannot be read by two, and encoded in others.
    """
    with ExitStack() as stack:
        opened = [
            _open(stack, open_stored(info.path, view, modality, onto), info.path)
            for info, view, modality, onto in (
                (scene.sar, scene.views.sar, SAR, scene.grid_of_sar),
                (scene.optical, scene.views.optical, OPTICAL, scene.grid_of_optical),
            )
        ]
        sar, optical = opened
        suffixes = _suffix_of(sar), _suffix_of(optical)

        def read_windows() -> Iterator[tuple[Window, Raster, Raster]]:
            for window in windows:
                yield window, _read_window(sar, window), _read_window(optical, window)

        def encode_window(read: tuple[Window, Raster, Raster]) -> PairPatch:
            window, sar_raster, optical_raster = read
            if (sar_raster.valid & optical_raster.valid).mean() < min_valid:
                return PairPatch(window, None, suffixes)
            files = encode_patch(sar_raster, sar, window), encode_patch(optical_raster, optical, window)
            return PairPatch(window, files, suffixes)

        yield from map_in_threads(encode_window, read_windows())


def _open(stack: ExitStack, raster: AbstractContextManager[OpenRaster], path: Path) -> OpenRaster:
    try:
        return stack.enter_context(raster)
    except UnreadableError as reason:
        raise unreadable_error(path, str(reason), reason.fix) from None


def _read_window(raster: OpenRaster, window: Window) -> Raster:
    try:
        return raster.read(window)
    except UnreadableError as reason:
        raise unreadable_error(raster.info.path, str(reason)) from None


def _suffix_of(raster: OpenRaster) -> str:
    return ".tif" if raster.metadata is not None else ".png"


def encode_patch(raster: Raster, source: OpenRaster, window: Window) -> bytes:
    """The contents of the file of a patch: GeoTIFF for a source that GDAL reads, else PNG of the same bit depth."""
    if source.metadata is not None:
        return encode_geotiff(raster, source.metadata, window)
    values = raster.values
    if not raster.valid.all():
        alpha = raster.valid[..., None] * np.iinfo(values.dtype).max
        values = np.concatenate([values, alpha.astype(values.dtype)], axis=-1)
    if values.dtype == np.uint16:
        return encode_png(values)
    buffer = io.BytesIO()
    if values.shape[-1] == 1:
        values = values.squeeze(-1)
    Image.fromarray(values).save(buffer, "PNG")
    return buffer.getvalue()


def write_patch(patch: PairPatch, root: Path, stems: tuple[str, str]) -> dict[str, str]:
    """Write the two files of a patch below ``root``; returns their names, stem and suffix, by column of the table."""
    names = [stem + suffix for stem, suffix in zip(stems, patch.suffixes, strict=True)]
    for name, data in zip(names, patch.files or (), strict=True):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        durable.write_bytes(root / name, data)
    return dict(zip(("s1_fileName", "s2_fileName"), names, strict=True))
