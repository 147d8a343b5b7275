"""Spectral response functions, and the bands that a sensor would measure of a spectrum."""

from __future__ import annotations

import csv
import difflib
import io
import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass, replace
from importlib import resources
from pathlib import Path

import numpy as np
import numpy.typing as npt

from rsforge.data.cube_headers.wavelengths import MAX_TEXT, decode_table, to_nanometres
from rsforge.errors import RsforgeError

F64 = npt.NDArray[np.float64]

SENSORS = ("landsat7", "landsat8", "landsat9")
MIN_COVERAGE = 0.95
MAX_STEP = 3.0  # times the median step


@dataclass(frozen=True)
class Response:
    """Responses ``values (n, K)`` of ``K`` bands at ``n`` rising wavelengths, linear between them and zero outside."""

    name: str
    bands: tuple[str, ...]
    wavelength_nm: F64
    values: F64
    note: str = ""


@dataclass(frozen=True)
class BandWeights:
    """Weights ``(K, B)``, rows of sum 1, that make ``K`` bands of the ``B`` of a cube: ``spectrum @ weights.T``.

    ``coverage (K,)`` is the share of each response that lies within the wavelengths of the cube.
    """

    weights: F64
    coverage: F64


def load_response(name: str) -> Response:
    """The responses of a sensor of ``SENSORS``, or of a text table of wavelengths and bands with a heading.

    Columns are separated by tabs, commas, semicolons or blanks; blank cells and negative noise are zero. RSF-U007 when
    ``name`` is neither, RSF-D006 for a table that cannot be used.
    """
    if name in SENSORS:
        text = (resources.files("rsforge.data") / "srf" / f"{name}.csv").read_text("utf-8")
        return _parse_table(text, name, name)
    path = Path(name)
    if not path.is_file():
        near = difflib.get_close_matches(path.name, SENSORS, 1)
        hint = f"did you mean {near[0]}?" if near else f"use {', '.join(SENSORS)}, or the path of a table"
        raise RsforgeError("RSF-U007", f"no sensor or file is called {name}", where="--sensor", found=name, fix=hint)
    if path.stat().st_size > MAX_TEXT:
        raise _table_error(str(path), f"it has more than {MAX_TEXT >> 20} MiB")
    return _parse_table(decode_table(path.read_bytes()), path.stem, str(path))


def select_bands(response: Response, names: Sequence[str]) -> Response:
    """The bands ``names`` of a sensor, in this order; RSF-U007 for one that it does not have."""
    for name in names:
        if name not in response.bands:
            what = f"{response.name} has no band {name}"
            fix = f"its bands are {', '.join(response.bands)}"
            raise RsforgeError("RSF-U007", what, where="--bands", found=name, fix=fix)
    bands = tuple(dict.fromkeys(names))
    columns = [response.bands.index(band) for band in bands]
    return replace(response, bands=bands, values=response.values[:, columns])


def known_weights(sensor: str, names: Sequence[str], bands: int, wavelength_nm: F64 | None) -> F64:
    """Weights ``(bands, B)`` for spectra at ``wavelength_nm (B,)`` of a sensor of ``SENSORS``.

    ``names`` are those of its ``bands`` bands, empty where unknown: they are then all that the sensor has. No table is
    opened, since ``sensor`` is what a file of data says. ``ValueError`` says why weights are not known.
    """
    if wavelength_nm is None:
        raise ValueError("the files state no wavelengths")
    if sensor not in SENSORS:
        raise ValueError(f"the response of {sensor or 'the sensor, which the files do not name,'} is not known")
    response = load_response(sensor)
    if set(names) <= set(response.bands):
        response = select_bands(response, names or response.bands)
    if len(response.bands) != bands:
        raise ValueError(f"the bands of the files are not those of {sensor}")
    weights = integrate_response(response, wavelength_nm)
    missing = [name for name, share in zip(response.bands, weights.coverage, strict=True) if share < MIN_COVERAGE]
    if missing:
        raise ValueError(f"the spectra do not cover {', '.join(missing)} of {sensor}")
    return weights.weights


def named_weights(sensor: str, names: Sequence[str], bands: int, wavelength_nm: F64 | None, *, where: str) -> F64:
    """Weights ``(bands, B)`` of the sensor or table that ``--sensor`` names, for spectra at ``wavelength_nm (B,)``.

    ``names`` are those of its ``bands`` bands, empty where unknown: they are then all that the sensor has. RSF-U005
    where wavelengths are not known or the bands are not as many, RSF-U007 for no such sensor or band, RSF-D006 for a
    bad table, RSF-D014 where the spectra ``where`` do not cover it.
    """
    if wavelength_nm is None:
        what = "no wavelengths are known, so what Landsat would measure of a spectrum is not"
        raise RsforgeError("RSF-U005", what, where="--sensor", found=where, fix="use files with wavelengths")
    response = load_response(sensor)
    if names:
        response = select_bands(response, names)
    if len(response.bands) != bands:
        what = f"{sensor} has {len(response.bands)} bands, {bands} are needed"
        raise RsforgeError("RSF-U005", what, where="--sensor", fix="name the sensor that the patches were cut for")
    weights = integrate_response(response, wavelength_nm)
    require_coverage(response, weights, where=where)
    return weights.weights


def _table_error(where: str, reason: str) -> RsforgeError:
    return RsforgeError("RSF-D006", f"the table of response functions cannot be used: {reason}", where=where)


def _parse_table(text: str, name: str, where: str) -> Response:
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    if not lines:
        raise _table_error(where, "it is empty")
    rows = _split_cells(lines)
    heading = [cell.strip() for cell in rows[0]]
    bands = heading[1:]
    if not bands or any(re.fullmatch(r"[-+.,\d]*", band) for band in bands) or len(set(bands)) < len(bands):
        raise _table_error(where, "its first line must name the wavelength and each band, once")
    table = np.array([_parse_numbers(row, len(heading), f"{where}, row {k}") for k, row in enumerate(rows[1:], 2)])
    if len(table) < 2 or not (np.diff(table[:, 0]) > 0).all():
        raise _table_error(where, "its wavelengths must rise from row to row")
    wavelength_nm, note = to_nanometres(table[:, 0], _unit_of(heading[0]))
    values = np.maximum(table[:, 1:], 0)
    zero = [band for band, column in zip(bands, values.T, strict=True) if not column.any()]
    if zero:
        raise _table_error(where, f"the response of {', '.join(zero)} is zero everywhere")
    return Response(name, tuple(bands), wavelength_nm, values, note)


def _unit_of(heading: str) -> str:
    found = re.search(r"(nm|nano\w*|um|µm|μm|micro\w*)[\])]?$", heading, re.IGNORECASE)
    return found[1] if found else ""


def _split_cells(lines: list[str]) -> list[list[str]]:
    separator = next((mark for mark in "\t;," if mark in lines[0]), None)
    if separator is None:
        return [line.split() for line in lines]
    return list(csv.reader(io.StringIO("\n".join(lines)), delimiter=separator))


def _parse_numbers(row: list[str], count: int, where: str) -> list[float]:
    try:
        values = [float(cell.strip().replace(",", ".") or 0) for cell in row]
    except ValueError:
        raise _table_error(where, "a cell is no number") from None
    if len(values) != count or not np.isfinite(values).all():
        raise _table_error(where, f"{count} finite numbers are expected, {len(values)} found")
    return values


def widest_step(wavelength_nm: F64) -> float:
    """The largest distance of two band centres, in nm, that is no gap: three times the median distance."""
    return MAX_STEP * float(np.median(np.diff(np.sort(wavelength_nm))))


def integrate_response(response: Response, wavelength_nm: F64, *, widest_nm: float | None = None) -> BandWeights:
    """Weights for the exact ``∫ L R dλ / ∫ R dλ`` of a spectrum ``L`` that is linear between its ``B`` band centres.

    The product of two piecewise linear functions is integrated by Simpson's rule, exact for quadratics, between all
    nodes of both. A step between neighbouring centres larger than ``widest_nm`` (``widest_step`` when absent) is a gap:
    nothing is interpolated across it, and the integral is normalised over the covered wavelengths. Centres are taken as
    point samples; the widths of the cube's bands are not deconvolved.
    """
    order = np.argsort(wavelength_nm, kind="stable")
    centres = wavelength_nm[order]
    widest = widest_step(centres) if widest_nm is None else widest_nm
    nodes = np.unique(np.concatenate([centres, response.wavelength_nm]))
    lengths = np.diff(nodes)
    middles = (nodes[:-1] + nodes[1:]) / 2
    inside = (middles > response.wavelength_nm[0]) & (middles < response.wavelength_nm[-1])
    shares = _simpson(_response_at(nodes, response), lengths * inside)
    covered = _find_covered(middles, centres, widest)
    hats = np.stack([np.interp(nodes, centres, row) for row in np.eye(len(centres))], axis=1)
    totals = sum(part.sum(axis=0) for part in shares)
    weights = (shares[0] * covered[:, None]).T @ hats[:-1] + (shares[1] * covered[:, None]).T @ hats[1:]
    covered_totals = weights.sum(axis=1)
    in_file_order = np.empty_like(weights)
    in_file_order[:, order] = weights / np.where(covered_totals > 0, covered_totals, 1)[:, None]
    return BandWeights(in_file_order, covered_totals / totals)


def _response_at(nodes: F64, response: Response) -> F64:
    return np.stack([np.interp(nodes, response.wavelength_nm, column) for column in response.values.T], axis=1)


def _simpson(values: F64, lengths: F64) -> tuple[F64, F64]:
    """The weights of the left and right end of a linear function in its integral with ``values`` on each interval."""
    sixth = (lengths / 6)[:, None]
    left = values[:-1]
    right = values[1:]
    return sixth * (2 * left + right), sixth * (left + 2 * right)


def _find_covered(middles: F64, centres: F64, widest: float) -> npt.NDArray[np.bool_]:
    """Which intervals, given by their ``middles``, lie between two neighbouring centres without a gap."""
    after = np.searchsorted(centres, middles)
    within = (after > 0) & (after < len(centres))
    after = np.clip(after, 1, len(centres) - 1)
    return within & (centres[after] - centres[after - 1] <= widest)


def require_coverage(response: Response, bands: BandWeights, *, where: str) -> None:
    """RSF-D014 when the cube covers less than 95 % of the response of a band."""
    covered = {name: float(share) for name, share in zip(response.bands, bands.coverage, strict=True)}
    missing = [f"{name} {share:.0%}" for name, share in covered.items() if share < MIN_COVERAGE]
    if not missing:
        return
    others = [name for name, share in covered.items() if share >= MIN_COVERAGE]
    fix = "choose another --sensor, or drop less by --drop-nm"
    if others:
        fix = f"take the others alone by --bands {shlex.quote(','.join(others))}, {fix}"
    raise RsforgeError(
        "RSF-D014",
        f"the cube does not cover the bands of {response.name}: at least {MIN_COVERAGE:.0%} of each is needed",
        where=where,
        found=", ".join(missing),
        fix=fix,
    )
