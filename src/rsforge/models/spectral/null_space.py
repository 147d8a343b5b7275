"""Exact consistency: the spectra nearest to predicted ones that integrate to what the sensor measured."""

from __future__ import annotations

import torch
from torch import Tensor

TOLERANCE = 1e-5
PIXELS = 1 << 13
"""How many pixels are computed at once, in float64."""

STEPS, HALVINGS = 300, 25
"""Most steps of Newton's method; ten are common, and only where no spectrum fits are there more than fifty."""

SOFTNESS = 1e-9
"""Of the equations, relative to the mean squared length of a response: far under the tolerance."""


@torch.no_grad()
def project_to_measured(
    spectra: Tensor, response: Tensor, measured: Tensor, *, tolerance: float = TOLERANCE
) -> tuple[Tensor, Tensor]:
    """The non-negative spectra ``z`` nearest to ``spectra`` for which ``response @ z`` is ``measured``.

    ``spectra`` are ``(B, C, H, W)``, ``response`` ``(K, C)`` holds the weights of the sensor's bands, ``measured``
    ``(B, K, H, W)`` what it saw, in the unit of the spectra. Returns ``z`` and the pixels ``(B, 1, H, W)`` where every
    band is met within ``tolerance`` times the largest magnitude measured there, or times 1 where that is larger. Where
    no non-negative spectrum gives what was measured, as for a negative measurement, ``z`` is the non-negative spectrum
    whose integrals come nearest to it, and the pixel is False. Pixels that are not finite stay as they are, and are
    False. ``ValueError`` for shapes that do not fit and for a band that responds to nothing.

    Minimum of ``|z - x|^2 / 2`` subject to ``R z = y, z >= 0`` by its dual: ``z = max(0, x + R^T λ)``, whose ``K``
    unknowns a pixel Newton's method with a line search finds. Qi & Sun 1993 (semismooth Newton).
    """
    _require_shapes(spectra, response, measured)
    response = response.double()
    x, y = (_to_rows(one) for one in (spectra, measured))
    nearest, met = torch.empty_like(x), torch.empty(len(x), dtype=torch.bool, device=x.device)
    for start in range(0, len(x), PIXELS):
        part = slice(start, start + PIXELS)
        rows, wanted = x[part].double(), y[part].double()
        finite = rows.isfinite().all(1) & wanted.isfinite().all(1)
        # In units of the measurement the steps end at the same accuracy for radiance and for reflectance.
        unit = wanted.abs().amax(1, keepdim=True).clamp(min=1)
        rows[finite] = _project(rows[finite] / unit[finite], response, wanted[finite] / unit[finite]) * unit[finite]
        nearest[part] = rows.to(x.dtype)
        error = nearest[part].double() @ response.T - wanted
        met[part] = finite & (error.abs() <= tolerance * unit).all(1)
    return _to_image(nearest, spectra), _to_image(met[:, None], spectra)


def _project(x: Tensor, response: Tensor, y: Tensor) -> Tensor:
    """Rows ``(P, C)`` of the solution."""
    softness = SOFTNESS * response.square().sum(1).mean()
    multiplier, open_rows = torch.zeros_like(y), torch.arange(len(x), device=x.device)
    for _ in range(STEPS):
        if not len(open_rows):
            break
        state = x[open_rows], y[open_rows], multiplier[open_rows]
        moved, moving = _newton_step(*state, response, softness)
        multiplier[open_rows] = moved
        open_rows = open_rows[moving]
    return (x + multiplier @ response).clamp(min=0)


def _newton_step(x: Tensor, y: Tensor, multiplier: Tensor, response: Tensor, softness: Tensor) -> tuple[Tensor, Tensor]:
    """The multipliers ``(P, K)`` after one step, and which rows have not converged yet."""
    z = (x + multiplier @ response).clamp(min=0)
    slope = z @ response.T + softness * multiplier - y
    bands = len(response)
    products = (response[:, None] * response[None]).flatten(0, 1)
    curvature = ((z > 0).to(z) @ products.T).unflatten(1, (bands, bands))
    curvature = curvature + softness * torch.eye(bands, dtype=z.dtype, device=z.device)
    step = -torch.linalg.solve(curvature, slope)
    moved = _search_line(x, y, multiplier, step, slope, response, softness)
    # The next gradient would say the same a step later; a row that gains nothing more has arrived as well.
    return moved, (slope.abs().amax(1) > 1e-12) & (moved != multiplier).any(1)


def _search_line(
    x: Tensor, y: Tensor, multiplier: Tensor, step: Tensor, slope: Tensor, response: Tensor, softness: Tensor
) -> Tensor:
    """The multipliers after the longest of the halved steps that lowers the dual enough. Armijo 1966."""

    def dual(at: Tensor) -> Tensor:
        z = (x + at @ response).clamp(min=0)
        return z.square().sum(1) / 2 + softness * at.square().sum(1) / 2 - (at * y).sum(1)

    before, promised = dual(multiplier), (slope * step).sum(1)
    length = torch.ones_like(promised)
    for _ in range(HALVINGS):
        short = dual(multiplier + length[:, None] * step) > before + 1e-4 * length * promised + 1e-15 * before.abs()
        if not short.any():
            break
        length = torch.where(short, length / 2, length)
    return multiplier + length[:, None] * step


def _require_shapes(spectra: Tensor, response: Tensor, measured: Tensor) -> None:
    batch, bands, height, width = spectra.shape
    wanted = (batch, len(response), height, width)
    if response.shape[1:] != (bands,) or measured.shape != wanted:
        shapes = f"{tuple(spectra.shape)}, {tuple(response.shape)} and {tuple(measured.shape)}"
        raise ValueError(f"spectra, response and measurement of shapes {shapes} do not fit")
    if not (response != 0).any(1).all():
        raise ValueError("a band of the response is zero at every wavelength")


def _to_rows(image: Tensor) -> Tensor:
    return image.movedim(1, -1).flatten(0, 2)


def _to_image(rows: Tensor, like: Tensor) -> Tensor:
    batch, _, height, width = like.shape
    return rows.view(batch, height, width, -1).movedim(-1, 1).contiguous()
