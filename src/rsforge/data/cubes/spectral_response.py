"""Spectral response functions, and the bands a sensor would have seen of a spectrum."""

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

from rsforge.data.cubes.wavelengths import MAX_TEXT, in_nm
from rsforge.errors import RsforgeError

F64 = npt.NDArray[np.float64]

SENSORS = ("landsat7", "landsat8", "landsat9")
MIN_COVERAGE = 0.95
WIDEST = 3.0


@dataclass(frozen=True)
class Response:
    """Responses ``(n, K)`` of ``K`` named bands at ``n`` rising wavelengths: linear between, zero outside."""

    name: str
    bands: tuple[str, ...]
    wavelength_nm: F64
    values: F64
    note: str = ""


@dataclass(frozen=True)
class Bands:
    """How ``K`` bands follow from the ``B`` of a cube: ``spectrum @ weights.T``, ``weights (K, B)`` with rows of sum 1.

    ``coverage`` ``(K,)`` is the share of each band's response that lies where the cube has been.
    """

    weights: F64
    coverage: F64


def load_response(name: str) -> Response:
    """The table of a sensor of ``SENSORS``, or of a file of wavelengths and bands with a heading.

    Columns are parted by tabs, commas, semicolons or blanks; blank cells and noise below zero are zero. A word that is
    neither raises RSF-U007, a table that cannot be used RSF-D006.
    """
    if name in SENSORS:
        text = (resources.files("rsforge.data") / "srf" / f"{name}.csv").read_text("utf-8")
        return _parsed(text, name, name)
    path = Path(name)
    if not path.is_file():
        near = difflib.get_close_matches(path.name, SENSORS, 1)
        hint = f"did you mean {near[0]}?" if near else f"use {', '.join(SENSORS)}, or the path of a table"
        raise RsforgeError("RSF-U007", f"no sensor or file is called {name}", where="--sensor", found=name, fix=hint)
    if path.stat().st_size > MAX_TEXT:
        raise _unusable(str(path), f"it has more than {MAX_TEXT >> 20} MiB")
    return _parsed(path.read_bytes().decode("utf-8-sig", errors="replace"), path.stem, str(path))


def select(response: Response, names: Sequence[str]) -> Response:
    """The bands ``names`` of a sensor, in that order; RSF-U007 for one that it has not."""
    strange = next((name for name in names if name not in response.bands), None)
    if strange is not None:
        raise RsforgeError(
            "RSF-U007", f"{response.name} has no band {strange}", where="--bands", found=strange,
            fix=f"its bands are {', '.join(response.bands)}",
        )  # fmt: skip
    bands = tuple(dict.fromkeys(names))
    return replace(response, bands=bands, values=response.values[:, [response.bands.index(band) for band in bands]])


def _unusable(where: str, reason: str) -> RsforgeError:
    return RsforgeError("RSF-D006", f"the table of response functions cannot be used: {reason}", where=where)


def _parsed(text: str, name: str, where: str) -> Response:
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    if not lines:
        raise _unusable(where, "it is empty")
    rows = _cells(lines)
    heading = [cell.strip() for cell in rows[0]]
    bands = heading[1:]
    if not bands or any(re.fullmatch(r"[-+.,\d]*", band) for band in bands) or len(set(bands)) < len(bands):
        raise _unusable(where, "its first line must name the wavelength and each band, once")
    table = np.array([_numbers(row, len(heading), f"{where}, row {k}") for k, row in enumerate(rows[1:], 2)])
    if len(table) < 2 or not (np.diff(table[:, 0]) > 0).all():
        raise _unusable(where, "its wavelengths must rise from row to row")
    wavelength_nm, note = in_nm(table[:, 0], _unit_of(heading[0]))
    values = np.maximum(table[:, 1:], 0)
    silent = [band for band, column in zip(bands, values.T, strict=True) if not column.any()]
    if silent:
        raise _unusable(where, f"the response of {', '.join(silent)} is zero everywhere")
    return Response(name, tuple(bands), wavelength_nm, values, note)


def _unit_of(heading: str) -> str:
    found = re.search(r"(nm|nano\w*|um|µm|μm|micro\w*)[\])]?$", heading, re.IGNORECASE)
    return found[1] if found else ""


def _cells(lines: list[str]) -> list[list[str]]:
    separator = next((mark for mark in "\t;," if mark in lines[0]), None)
    if separator is None:
        return [line.split() for line in lines]
    return list(csv.reader(io.StringIO("\n".join(lines)), delimiter=separator))


def _numbers(row: list[str], count: int, where: str) -> list[float]:
    try:
        values = [float(cell.strip().replace(",", ".") or 0) for cell in row]
    except ValueError:
        raise _unusable(where, "a cell is no number") from None
    if len(values) != count or not np.isfinite(values).all():
        raise _unusable(where, f"{count} finite numbers are expected, {len(values)} found")
    return values


def widest_step(wavelength_nm: F64) -> float:
    """The widest distance of two band centres in nm that is no gap: three times the median one."""
    return WIDEST * float(np.median(np.diff(np.sort(wavelength_nm))))


def integrate(response: Response, wavelength_nm: F64, *, widest_nm: float | None = None) -> Bands:
    """The exact ``∫ L R dλ / ∫ R dλ`` of a spectrum ``L`` that is linear between its ``B`` band centres.

    The product of two piecewise linear functions is integrated by Simpson's rule, exact for quadratics, between all
    nodes of both. A step between neighbouring centres wider than ``widest_nm`` (three times the median step when
    absent) is a gap: nothing is interpolated across it, and the integral is normalised over what is covered. Centres
    are point samples: the widths of the cube's own bands are not unfolded.
    """
    order = np.argsort(wavelength_nm, kind="stable")
    centres = wavelength_nm[order]
    widest = widest_step(centres) if widest_nm is None else widest_nm
    nodes = np.unique(np.concatenate([centres, response.wavelength_nm]))
    lengths, middles = np.diff(nodes), (nodes[:-1] + nodes[1:]) / 2
    inside = (middles > response.wavelength_nm[0]) & (middles < response.wavelength_nm[-1])
    shares = _simpson(_at(nodes, response), lengths * inside)
    covered = _covered(middles, centres, widest)
    hats = np.stack([np.interp(nodes, centres, row) for row in np.eye(len(centres))], axis=1)
    totals = sum(part.sum(axis=0) for part in shares)
    weights = (shares[0] * covered[:, None]).T @ hats[:-1] + (shares[1] * covered[:, None]).T @ hats[1:]
    seen = weights.sum(axis=1)
    back = np.empty_like(weights)
    back[:, order] = weights / np.where(seen > 0, seen, 1)[:, None]
    return Bands(back, seen / totals)


def _at(nodes: F64, response: Response) -> F64:
    return np.stack([np.interp(nodes, response.wavelength_nm, column) for column in response.values.T], axis=1)


def _simpson(values: F64, lengths: F64) -> tuple[F64, F64]:
    """What the left and the right end of a linear factor weigh in its integral with ``values`` on each interval."""
    sixth, left, right = (lengths / 6)[:, None], values[:-1], values[1:]
    return sixth * (2 * left + right), sixth * (left + 2 * right)


def _covered(middles: F64, centres: F64, widest: float) -> npt.NDArray[np.bool_]:
    """Which intervals lie between two centres that are no gap apart."""
    after = np.searchsorted(centres, middles)
    within = (after > 0) & (after < len(centres))
    after = np.clip(after, 1, len(centres) - 1)
    return within & (centres[after] - centres[after - 1] <= widest)


def require_covered(response: Response, bands: Bands, *, where: str) -> None:
    """RSF-D014 when the cube sees less than 95 % of a band's response."""
    short = [
        f"{name} {share:.0%}"
        for name, share in zip(response.bands, bands.coverage, strict=True)
        if share < MIN_COVERAGE
    ]
    if short:
        seen = [band for band, share in zip(response.bands, bands.coverage, strict=True) if share >= MIN_COVERAGE]
        only = f"take the others alone by --bands {shlex.quote(','.join(seen))}, " if seen else ""
        raise RsforgeError(
            "RSF-D014",
            f"the cube does not cover the bands of {response.name}: at least {MIN_COVERAGE:.0%} of each is needed",
            where=where,
            found=", ".join(short),
            fix=f"{only}choose another --sensor, or drop less by --drop-nm",
        )
