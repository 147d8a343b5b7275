"""Several open rasters of one band each as one raster, whose bands carry what their files are named by."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image

from rsforge.data.bands.meaning import COLOURS, POLARISATIONS, BandMeaning, find_roles, role_of_name
from rsforge.data.io.georeference import BandMetadata, OpenRaster, Raster, RasterInfo, find_difference
from rsforge.data.io.image_reader import UnreadableError
from rsforge.data.io.windows import Window
from rsforge.wording import count_noun

_RADAR = {role.upper() for role in POLARISATIONS}


def stack_rasters(path: Path, names: Sequence[str], rasters: Sequence[OpenRaster]) -> OpenRaster:
    """The raster of the set ``path``, whose bands ``names`` are the only ones of ``rasters``.

    Bands lie on the grid of the smallest pixels that several share: a panchromatic band alone does not choose it. Those
    of other sizes or grids are left out and named, not resampled.
    ``UnreadableError`` where a file holds several bands, or says that it holds another polarisation than its name.
    """
    rasters = [_take_grey(raster) if name in _RADAR else raster for name, raster in zip(names, rasters, strict=True)]
    for name, raster in zip(names, rasters, strict=True):
        _check_band(name, raster.info)
    kept = _choose_grid([raster.info for raster in rasters])
    left_out = tuple(name for k, name in enumerate(names) if k not in kept)
    meanings = find_roles([replace(rasters[k].info.meanings[0], name=names[k], role="") for k in kept])
    return _join(path, [rasters[k] for k in kept], meanings, left_out)


def _take_grey(raster: OpenRaster) -> OpenRaster:
    """A picture of a polarisation in colours as grey, by ITU-R BT.601 luma; others as they are."""
    if tuple(meaning.role for meaning in raster.info.meanings) != COLOURS or raster.info.dtype != "uint8":
        return raster
    info = replace(raster.info, bands=1, mode="L", meanings=(BandMeaning(role="grey"),))

    def read(window: Window) -> Raster:
        colours = raster.read(window)
        grey = np.asarray(Image.fromarray(colours.values).convert("L"))
        return Raster(grey[..., None], colours.valid, info)

    return OpenRaster(info, read)


def _check_band(name: str, info: RasterInfo) -> None:
    if info.bands != 1:
        raise UnreadableError(
            f"{info.path.name} is named as the one band {name} of a set and has {count_noun(info.bands, 'band')}"
        )
    role = role_of_name(info.meanings[0].name)
    if role in POLARISATIONS and role != name.lower():
        raise UnreadableError(f"{info.path.name} is named {name} and says in itself that it holds {role.upper()}")


def _choose_grid(infos: Sequence[RasterInfo]) -> list[int]:
    """The positions of the bands on one grid."""
    grids: list[list[int]] = []
    for k, info in enumerate(infos):
        own = next((grid for grid in grids if _is_on_grid(infos[grid[0]], info)), None)
        if own is None:
            grids.append([k])
        else:
            own.append(k)
    several = [grid for grid in grids if len(grid) > 1]
    return max(several or grids, key=lambda grid: infos[grid[0]].height * infos[grid[0]].width)


def _is_on_grid(finest: RasterInfo, info: RasterInfo) -> bool:
    return not find_difference(finest, info) and (finest.grid is None) == (info.grid is None)


def _join(
    path: Path, rasters: Sequence[OpenRaster], meanings: Sequence[BandMeaning], left_out: tuple[str, ...]
) -> OpenRaster:
    """The raster of bands on one grid; ``pick`` leaves the files of other bands unread."""
    first = rasters[0].info
    fills = {raster.info.nodata for raster in rasters}
    info = replace(
        first,
        path=path,
        bands=len(rasters),
        dtype=str(np.result_type(*(raster.info.dtype for raster in rasters))),
        nodata=first.nodata if len(fills) == 1 else None,
        mode=f"{first.dtype} x {len(rasters)}",
        meanings=tuple(meanings),
        left_out=left_out,
        pictures=max(raster.info.pictures for raster in rasters),
    )

    def read(window: Window) -> Raster:
        """As in one file, a pixel holds data where any band does and no band lacks a number."""
        parts = [raster.read(window) for raster in rasters]
        values = np.concatenate([part.values for part in parts], axis=-1, dtype=info.dtype)
        valid = np.any([part.valid for part in parts], axis=0)
        if values.dtype.kind == "f":
            valid &= np.isfinite(values).all(axis=-1)
        return Raster(values, valid, info)

    def pick(positions: Sequence[int]) -> OpenRaster:
        chosen = [rasters[k] for k in positions]
        return _join(path, chosen, [meanings[k] for k in positions], left_out)

    return OpenRaster(info, read, _join_metadata(rasters, meanings), pick)


def _join_metadata(rasters: Sequence[OpenRaster], meanings: Sequence[BandMeaning]) -> BandMetadata | None:
    """What all files say of themselves alike, and what each says of its band; None where one says nothing."""
    own = [raster.metadata for raster in rasters if raster.metadata is not None]
    if len(own) < len(rasters):
        return None
    tags = {key: value for key, value in own[0].tags.items() if all(one.tags.get(key) == value for one in own)}
    return BandMetadata(
        tags=tags,
        band_tags=[one.band_tags[0] for one in own],
        descriptions=[meaning.name for meaning in meanings],
        units=[one.units[0] for one in own],
        scales=[one.scales[0] for one in own],
        offsets=[one.offsets[0] for one in own],
        imagery=tuple(one.imagery[0] for one in own),
    )
