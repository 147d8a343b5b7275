"""Cubes in GeoTIFF files: what their tags say of the bands, GDAL's own fields, and an ENVI header beside them."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from rsforge.data.bands.keys import name_concerning, understand
from rsforge.data.cube_headers.enmap import read_enmap_metadata
from rsforge.data.cube_headers.meaning import BandMeanings, read_meanings
from rsforge.data.cube_headers.wavelengths import WavelengthError
from rsforge.data.cubes.cube import Cube, WindowData, require_shape, require_stored
from rsforge.data.cubes.envi import find_data_file, find_header, read_envi_meanings, read_header
from rsforge.data.io import geotiff
from rsforge.data.io.georeference import BandMetadata
from rsforge.data.io.image_reader import UnreadableError
from rsforge.data.io.windows import Window
from rsforge.wording import count_noun

SUFFIXES = (".tif", ".tiff")
BENIGN = ("AREA_OR_POINT", "LAYER_TYPE", "RepresentationType", "layer")
_APPLIED = ("gain", "scale", "divisor", "offset")
_MUST_AGREE = 0.01  # of a wavelength


def open_geotiff(path: Path, own_wavelengths: bool = True) -> Cube:
    """The cube in a GeoTIFF, values as stored; ``UnreadableError`` when it cannot be used.

    Without ``own_wavelengths`` those of the tags are ignored.
    """
    with ExitStack() as stack:
        raster = stack.enter_context(geotiff.open_with_gdal(path))
        info, metadata = raster.info, raster.metadata
        height, width, bands = require_shape((info.height, info.width, info.bands))
        if metadata is None or len(metadata.band_tags) != bands or np.dtype(info.dtype).kind not in "iuf":
            raise UnreadableError("its bands are colours of a palette, not a spectrum")
        require_stored(height * width * bands * np.dtype(info.dtype).itemsize, path.stat().st_size)

        def fetch(window: Window) -> WindowData:
            stored = raster.read(window)
            # A mask in the file is one for all bands; values that are not finite are masked band by band later.
            if info.nodata is not None:
                return stored.values, None
            return stored.values, stored.valid | ~np.isfinite(stored.values).all(axis=-1)

        meanings = _read_tags(metadata, info.nodata, own_wavelengths=own_wavelengths)
        meanings = _add_header_beside(path, meanings, (height, width, bands), own_wavelengths=own_wavelengths)
        return Cube(
            path=path,
            height=height,
            width=width,
            bands=bands,
            dtype=info.dtype,
            fetch=fetch,
            meanings=meanings,
            grid=info.grid,
            notes=meanings.notes,
            close=stack.pop_all().close,
        )


def find_geotiff(header: Path) -> Path | None:
    """The GeoTIFF beside an ENVI header that describes it; None where the header has a file of values of its own."""
    if find_data_file(header) is not None:
        return None
    stem = header.with_suffix("")
    paths = [stem] if stem.suffix.lower() in SUFFIXES else []
    paths += [stem.with_name(stem.name + end) for suffix in SUFFIXES for end in (suffix, suffix.upper())]
    return next((path for path in paths if path.is_file()), None)


def _read_tags(metadata: BandMetadata, nodata: float | None, *, own_wavelengths: bool) -> BandMeanings:
    bands = len(metadata.band_tags)
    imagery = metadata.imagery or ({},) * bands
    known = {understand(key)[0] for row in metadata.band_tags for key in row}
    tags = [
        {**{key: text for key, text in more.items() if understand(key)[0] not in known}, **own}
        for own, more in zip(metadata.band_tags, imagery, strict=True)
    ]
    if own_wavelengths:
        _check_agreement(metadata)
    said, partial = _collect_band_tags(tags)
    concerning = name_concerning(list(metadata.tags))
    taken = {understand(key)[0] for key in said}
    # What is said of each band goes before what is said of the file.
    said |= {
        key: text for key, text in metadata.tags.items()
        if key in concerning or understand(key)[0] not in {"", "unit", "band names", *taken}
    }  # fmt: skip
    if any(value != 1 for value in metadata.scales) or any(metadata.offsets):
        # GDAL's own fields, of which tags may be copies: nothing is applied twice.
        said = {key: value for key, value in said.items() if understand(key)[0] not in _APPLIED}
        said |= {"scale_factor": np.array(metadata.scales, float), "add_offset": np.array(metadata.offsets, float)}
    if nodata is not None:
        said = {key: value for key, value in said.items() if understand(key)[0] != "fill"} | {"nodata": nodata}
    if metadata.units[0] and "unit" not in taken:
        said["units"] = metadata.units[0]
    names = [name or "" for name in metadata.descriptions]
    found = read_meanings(said, bands, own_wavelengths=own_wavelengths, names=names, benign=BENIGN)
    return replace(found, notes=(*partial, *found.notes))


def _collect_band_tags(tags: Sequence[dict[str, str]]) -> tuple[dict[str, Any], list[str]]:
    """Lists of what the tags of all bands say, and sentences on those that only some bands have.

    Bands that are not called bad are good; one text for all bands is one.
    """
    said: dict[str, Any] = {}
    notes = []
    keys = list(dict.fromkeys(key for row in tags for key in row if not key.upper().startswith("STATISTICS")))
    for key in keys:
        meaning = understand(key)[0]
        missing = {"good": "1", "bad": "0"}.get(meaning)
        values = [row.get(key, missing) for row in tags]
        known = [value.strip() for value in values if value is not None]
        if len(known) < len(tags):
            notes.append(f"{key} is given for {len(known)} of {count_noun(len(tags), 'band')}, and is not used")
        elif meaning in ("wavelength unit", "unit", "fill") or not meaning:
            if meaning == "wavelength unit" and len(set(known)) > 1:
                raise WavelengthError(f"their units differ from band to band: {', '.join(sorted(set(known))[:3])}")
            said[key] = known[0]
        else:
            said[key] = known
    return said, notes


def _check_agreement(metadata: BandMetadata) -> None:
    """``WavelengthError`` where the tags of a band and its domain IMAGERY give different wavelengths."""
    found = []
    for tags in (metadata.band_tags, metadata.imagery):
        said, _ = _collect_band_tags(tags)
        lengths = {key: value for key, value in said.items() if understand(key)[0] in ("wavelength", "wavelength unit")}
        found.append(read_meanings(lengths, len(tags)).wavelength_nm)
    _require_same(found[0], found[1], "the tags of the bands", "their domain IMAGERY")


def _require_same(first: Any, second: Any, one: str, other: str) -> None:
    if first is not None and second is not None and (np.abs(first - second) > _MUST_AGREE * first).any():
        k = int(np.abs(first - second).argmax())
        raise WavelengthError(f"band {k + 1} is at {first[k]:g} nm by {one}, and at {second[k]:g} nm by {other}")


def _add_header_beside(
    path: Path, meanings: BandMeanings, shape: tuple[int, int, int], *, own_wavelengths: bool
) -> BandMeanings:
    """What an ENVI header or the metadata of a product beside the file say, where the file itself does not.

    ``WavelengthError`` where both say something else.
    """
    header = find_header(path)
    beside: BandMeanings | None = None
    if header is not None and find_geotiff(header) == path:
        fields = read_header(header)
        keys = zip(("lines", "samples", "bands"), shape, strict=True)
        stated = tuple(fields.get(key, str(size)) for key, size in keys)
        if stated != tuple(map(str, shape)):
            what = f"{header.name} is of {' x '.join(stated)} lines, samples and bands, and is not used"
            return replace(meanings, notes=(*meanings.notes, what))
        beside, source = read_envi_meanings(fields, shape[2], own_wavelengths=own_wavelengths), header.name
    elif found := read_enmap_metadata(path, shape[2]):
        beside, source = read_meanings(found[0], shape[2], own_wavelengths=own_wavelengths), found[1]
    if beside is None:
        return meanings
    _require_same(meanings.wavelength_nm, beside.wavelength_nm, path.name, source)
    scaled = meanings.scale is not None or meanings.offset is not None
    return replace(
        meanings,
        good=meanings.good & beside.good,
        wavelength_nm=beside.wavelength_nm if meanings.wavelength_nm is None else meanings.wavelength_nm,
        fwhm_nm=beside.fwhm_nm if meanings.fwhm_nm is None else meanings.fwhm_nm,
        unit=meanings.unit or beside.unit,
        scale=meanings.scale if scaled else beside.scale,
        offset=meanings.offset if scaled else beside.offset,
        fill=beside.fill if meanings.fill is None else meanings.fill,
        valid_range=meanings.valid_range or beside.valid_range,
        notes=(*meanings.notes, f"{source} beside it is read", *beside.notes),
    )
