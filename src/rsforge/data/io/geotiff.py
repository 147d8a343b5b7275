"""Rasters read with GDAL: one local file by one named driver, no sidecar files, no virtual or network paths."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import rasterio
from rasterio.crs import CRS
from rasterio.enums import ColorInterp, MaskFlags, Resampling
from rasterio.vrt import WarpedVRT
from rasterio.windows import Window as Frame

from rsforge.data.bands.meaning import BandMeaning, find_roles
from rsforge.data.io.band_choice import choose_bands
from rsforge.data.io.georeference import BandMetadata, ControlPoints, Grid, Mask, OpenRaster, Raster, RasterInfo
from rsforge.data.io.image_reader import UnreadableError, is_mask
from rsforge.data.io.native_output import first_line, silence_libraries
from rsforge.data.io.windows import Window
from rsforge.wording import count_noun

MAX_BLOCK = 1 << 28  # a compressed strip or tile is decoded whole, however small the window
MAX_READ = 1 << 29
MAX_BANDS = 4096

# Beside NAME.tif GDAL would also open NAME.tif.aux.xml, .ovr, .msk, .tfw, ..., and those may name files anywhere.
SAFE = {
    "GDAL_DISABLE_READDIR_ON_OPEN": "EMPTY_DIR",
    "GDAL_PAM_ENABLED": "NO",
    "GDAL_GEOREF_SOURCES": "INTERNAL",
    "GDAL_CACHEMAX": 64,
}
Driver = Literal["GTiff", "PNG", "JP2OpenJPEG"]
Alpha = Literal["auto", "mask", "band"]
_WAVELENGTHS = ("wavelength", "wavelength_nm", "central_wavelength", "CENTRAL_WAVELENGTH_NM")
_LONGEST_UM = 30.0  # larger numbers are nm
_SAMPLED = 256  # pixels, the side of a window by which an alpha band is judged
_HARMONISED = ("HARMONIZED", "HARMONISED", "BOA_OFFSET_APPLIED", "EARTHSEARCH:BOA_OFFSET_APPLIED")
_OFFSET_FROM = 4.0  # processing baseline of Sentinel-2 from which digital numbers are 1000 larger
_ROLES = {"gray": "grey", "undefined": "", "alpha": ""}
_MODES = {("uint8", 1): "L", ("uint8", 3): "RGB"}

logging.getLogger("rasterio").addHandler(logging.NullHandler())


@contextmanager
def open_with_gdal(
    path: Path,
    *,
    driver: Driver = "GTiff",
    bands: Sequence[str] = (),
    alpha: Alpha = "auto",
    onto: RasterInfo | None = None,
) -> Iterator[OpenRaster]:
    """Open the raster in ``path``, or its ``bands`` alone (``find_bands``).

    An alpha band is a mask, or by ``alpha`` a band that is left aside unless it is asked for; ``auto`` goes by values.
    ``onto`` is a gridded image onto whose grid it is resampled by its ground control points, bilinearly and without a
    height model; what lies outside is no data.

    Complex or LAB values, huge blocks and damage raise ``UnreadableError``.
    """
    local = path.resolve()
    if local.as_posix().startswith("/vsi"):
        raise UnreadableError("its path is one of GDAL's virtual ones")
    with ExitStack() as stack:
        with _translate_errors(), silence_libraries():
            stack.enter_context(rasterio.Env(**SAFE))
            dataset = stack.enter_context(rasterio.open(local, driver=driver))
            if onto is not None:
                dataset, alpha = stack.enter_context(_warp(dataset, onto)), "mask"
            source = _GdalDataset(path, dataset, alpha)
        raster = source.open(with_metadata=driver != "PNG")
        yield choose_bands(raster, bands)


def _warp(dataset: Any, onto: RasterInfo) -> Any:
    points, crs = dataset.gcps
    if onto.grid is None or not points:
        raise UnreadableError("it has no ground control points to be resampled by")
    options = {"nodata": dataset.nodata} if dataset.nodata is not None else {"add_alpha": True}
    return WarpedVRT(
        dataset, src_crs=crs, crs=CRS.from_wkt(onto.grid.crs), transform=onto.grid.affine, width=onto.width,
        height=onto.height, resampling=Resampling.bilinear, **options,
    )  # fmt: skip


@contextmanager
def _translate_errors() -> Iterator[None]:
    """Raise what GDAL and rasterio raise in the block as ``UnreadableError``."""
    try:
        yield
    except UnreadableError:
        raise
    # GDAL's own errors, and those of rasterio for unexpected CRS, text and numbers.
    except Exception as error:
        reason = first_line(error if error.__cause__ is None else Exception(error.__cause__))
        raise UnreadableError(f"it cannot be decoded ({reason})") from error


class _GdalDataset:
    """An open dataset, with its bands sorted into colours or measurements, alpha and palette."""

    def __init__(self, path: Path, dataset: Any, alpha: Alpha) -> None:
        self.dataset = dataset
        if not 0 < dataset.count <= MAX_BANDS:
            raise UnreadableError(f"it has {count_noun(dataset.count, 'band')}")
        kinds = dataset.colorinterp
        flags = dataset.mask_flag_enums[0]
        self.palette = dataset.colormap(1) if kinds == (ColorInterp.palette,) else None
        self.bands = [n for n, kind in enumerate(kinds, 1) if kind != ColorInterp.alpha]
        if not self.bands:
            self.bands = [1]
        spare = len(self.bands) < dataset.count and not self._has_mask(alpha)
        self.masked = MaskFlags.per_dataset in flags and not (spare and MaskFlags.alpha in flags)
        if spare:
            self.bands = list(range(1, dataset.count + 1))
        structure = dataset.tags(ns="IMAGE_STRUCTURE")
        self.white = 0  # the value of white where the smallest value is white, else 0
        if structure.get("MINISWHITE") == "YES":
            self.white = 2 ** int(structure.get("NBITS", 16)) - 1
        self._check()
        dtype = dataset.dtypes[0]
        bands = 3 if self.palette else len(self.bands)
        grid, note = _read_grid(dataset)
        self.info = RasterInfo(
            path=path,
            height=dataset.height,
            width=dataset.width,
            bands=bands,
            dtype=dtype,
            nodata=dataset.nodata,
            grid=grid,
            mode=_MODES.get((dtype, bands), f"{dtype} x {bands}"),
            note=note,
            control=_read_control_points(dataset),
            meanings=self._find_meanings(),
            spare_alpha=spare,
            pictures=max(len(dataset.subdatasets), 1),
        )

    def open(self, *, with_metadata: bool) -> OpenRaster:
        """The raster as others see it."""

        def pick(positions: Sequence[int]) -> OpenRaster:
            """Keep some bands: others are neither read nor make a pixel valid."""
            self.bands = [self.bands[k] for k in positions]
            kind = (self.info.dtype, len(self.bands))
            meanings = tuple(self.info.meanings[k] for k in positions)
            mode = _MODES.get(kind, f"{kind[0]} x {kind[1]}")
            self.info = replace(self.info, bands=len(self.bands), mode=mode, meanings=meanings)
            return self.open(with_metadata=with_metadata)

        metadata = self.read_metadata() if with_metadata else None
        return OpenRaster(self.info, self.read, metadata, None if self.palette else pick)

    def _has_mask(self, alpha: Alpha) -> bool:
        """Whether the alpha band is a mask: as ``alpha`` says, else by its values in a few windows."""
        if alpha != "auto":
            return alpha == "mask"
        dataset = self.dataset
        number = next(n for n, kind in enumerate(dataset.colorinterp, 1) if kind == ColorInterp.alpha)
        if not np.issubdtype(np.dtype(dataset.dtypes[number - 1]), np.unsignedinteger):
            return True
        height, width = min(dataset.height, _SAMPLED), min(dataset.width, _SAMPLED)
        parts = [
            dataset.read(number, window=Frame(col, row, width, height)).ravel()
            for row in {0, (dataset.height - height) // 2, dataset.height - height}
            for col in {0, (dataset.width - width) // 2, dataset.width - width}
        ]
        return is_mask(np.concatenate(parts))

    def _find_meanings(self) -> tuple[BandMeaning, ...]:
        """What the metadata say of the bands that ``read`` returns."""
        if self.palette:
            return tuple(BandMeaning(role=role) for role in ("red", "green", "blue"))
        dataset, offset = self.dataset, _find_baseline_offset(self.dataset)
        columns = zip(
            dataset.descriptions, dataset.colorinterp, dataset.units, dataset.scales, dataset.offsets,
            dataset.nodatavals, strict=True,
        )  # fmt: skip
        rows = list(columns)
        meanings = []
        for number in self.bands:
            name, colour, unit, scale, declared, fill = rows[number - 1]
            tags = dataset.tags(number)
            meaning = BandMeaning(
                name=(name or "").strip(),
                role=_ROLES.get(colour.name, colour.name),
                wavelength_nm=_find_wavelength(tags, dataset.tags(number, ns="IMAGERY")),
                unit=(unit or "").strip(),
                scale=scale,
                offset=declared if (scale, declared) != (1.0, 0.0) else offset,
                good=tags.get("bbl", "1") not in ("0", "0.0", "false"),
                fill=fill,
            )
            meanings.append(meaning)
        return find_roles(meanings)

    def _check(self) -> None:
        dataset = self.dataset
        dtype = str(self.dataset.dtypes[0])
        if dtype.startswith("complex"):
            raise UnreadableError(f"its values are complex ({dtype}); take their amplitude or intensity first")
        if getattr(dataset.photometric, "value", "") in ("CIELAB", "ICCLAB", "ITULAB"):
            raise UnreadableError("its colours are LAB, not RGB")
        height, width = dataset.block_shapes[0]
        samples = dataset.count if getattr(dataset.interleaving, "value", "") == "PIXEL" else 1
        block = height * width * samples * np.dtype(dtype).itemsize
        if block > MAX_BLOCK:
            raise UnreadableError(f"one strip or tile of it has {block:,} bytes, more than {MAX_BLOCK:,}")

    def read_metadata(self) -> BandMetadata:
        dataset = self.dataset
        tags = dataset.tags()
        # GDAL reports Area for every file; beside Point it would write ground control points a pixel off.
        if tags.get("AREA_OR_POINT") != "Point" or dataset.gcps[0]:
            tags.pop("AREA_OR_POINT", None)
        return BandMetadata(
            tags=tags,
            band_tags=[dataset.tags(n) for n in self.bands],
            descriptions=[dataset.descriptions[n - 1] for n in self.bands],
            units=[dataset.units[n - 1] for n in self.bands],
            scales=[dataset.scales[n - 1] for n in self.bands],
            offsets=[dataset.offsets[n - 1] for n in self.bands],
            colours=self._list_colours(),
        )

    def _list_colours(self) -> list[str] | None:
        """What the bands are called in the order of ``read``, where they are colours; None else."""
        names = [self.dataset.colorinterp[n - 1].name for n in self.bands]
        return names if {"red", "green", "blue"} <= set(names) and "alpha" not in names else None

    def read(self, window: Window) -> Raster:
        """Read a window at full resolution.

        GDAL decodes the whole strips or tiles under the window and keeps them in its cache, so that windows read in
        rows decode each block once. No output shape is given: with one GDAL would read from overviews, whose values
        are averages.
        """
        size = window.height * window.width * self.info.bands * np.dtype(self.info.dtype).itemsize
        if size > MAX_READ:
            raise UnreadableError(
                f"{window.height} x {window.width} pixels of it have {size:,} bytes; read less at once"
            )
        frame = Frame(window.col, window.row, window.width, window.height)
        with _translate_errors(), silence_libraries():
            values = np.moveaxis(self.dataset.read(self.bands, window=frame), 0, -1)
            mask = self.dataset.dataset_mask(window=frame) > 0 if self.masked else None
        valid = _find_valid(values, self.info.nodata)
        if mask is not None:
            valid &= mask
        if self.palette:
            values, valid = _apply_palette(values[..., 0], valid, self.palette)
        if self.white and np.issubdtype(values.dtype, np.unsignedinteger):
            values = self.white - values
        return Raster(np.ascontiguousarray(values), valid, self.info)


def _find_wavelength(tags: Mapping[str, str], imagery: Mapping[str, str]) -> float | None:
    """The central wavelength of a band in nm, from its own tags or GDAL's domain IMAGERY; None where none is given."""
    with suppress(KeyError, ValueError):
        return float(imagery["CENTRAL_WAVELENGTH_UM"]) * 1000
    for name in _WAVELENGTHS:
        with suppress(KeyError, ValueError):
            length = float(tags[name].split()[0])
            return length * 1000 if length < _LONGEST_UM else length
    return None


def _find_baseline_offset(dataset: Any) -> float:
    """-1000 for digital numbers of Sentinel-2 from processing baseline 04.00 on, as its tag says; else 0.

    Tags that say that the offset was taken off already are heeded.
    """
    tags = {name.upper(): value for name, value in dataset.tags().items()}
    harmonised = any(tags.get(name, "").lower() in ("true", "yes", "1") for name in _HARMONISED)
    if dataset.dtypes[0] != "uint16" or harmonised:
        return 0.0
    with suppress(KeyError, ValueError):
        return float(tags["BOA_ADD_OFFSET"])
    with suppress(KeyError, ValueError):
        return -1000.0 if float(tags["PROCESSING_BASELINE"].lstrip("N")) >= _OFFSET_FROM else 0.0
    return 0.0


def _read_grid(dataset: Any) -> tuple[Grid | None, str]:
    """The grid of a dataset, or None and a clause that says why there is none."""
    try:
        crs = dataset.crs.to_wkt() if dataset.crs else ""
    except Exception as error:
        return None, f"its coordinate system cannot be read ({first_line(error)})"
    transform = dataset.transform
    if transform.is_identity:
        points = len(dataset.gcps[0])
        if points:
            return None, f"it is placed by {points} ground control points alone"
        return None, "its coordinate system comes without a transform" if crs else ""
    if transform.is_degenerate:
        return None, "its transform has no area"
    return Grid(crs, tuple(transform)[:6]), ""


def _read_control_points(dataset: Any) -> ControlPoints | None:
    points, crs = dataset.gcps
    placed = tuple((point.row, point.col, point.x, point.y, point.z or 0.0) for point in points)
    polynomials = tuple(sorted(dataset.tags(ns="RPC").items()))
    if not placed and not polynomials:
        return None
    return ControlPoints(crs.to_wkt() if crs else "", placed, polynomials)


def _find_valid(values: npt.NDArray[Any], nodata: float | None) -> Mask:
    """Pixels ``(H, W)`` where at least one band is not nodata and every band is finite."""
    valid = np.ones(values.shape[:2], bool)
    if nodata is not None:
        with np.errstate(over="ignore"):
            valid &= (values != nodata).any(axis=-1)
    if np.issubdtype(values.dtype, np.floating):
        valid &= np.isfinite(values).all(axis=-1)
    return valid


def _apply_palette(
    indices: npt.NDArray[Any], valid: Mask, palette: dict[int, tuple[int, int, int, int]]
) -> tuple[npt.NDArray[Any], Mask]:
    table = np.zeros((max(*palette, 255) + 1, 4), np.uint8)
    table[list(palette)] = list(palette.values())
    rgba = table[indices]
    return rgba[..., :3], valid & (rgba[..., 3] > 0)
