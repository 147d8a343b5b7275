"""What is wanted of predicted spectra: pure functions of images of many bands.

``valid`` ``(B, 1, H, W)`` is True where a pixel counts, everywhere when absent; what stands elsewhere, not a number
included, reaches neither a loss nor its gradient. Where nothing counts a loss is 0. Half precision is widened to
float32. Images whose shapes differ raise ``ValueError``.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

LEAST_LENGTH = 1e-3
"""Of a predicted spectrum, relative to its target's: below it the angle fades to π/2 and its gradient stays bounded."""

WIDEST = 3.0
"""Neighbouring bands further apart than this multiple of the typical spacing have removed bands between them."""

Terms = dict[str, Tensor]
Average = Callable[[Tensor, Tensor | None], tuple[Tensor, Tensor]]
"""Of an image and its valid pixels: its means over wider pixels, and where these hold."""


def absolute_error(output: Tensor, target: Tensor, valid: Tensor | None = None) -> Tensor:
    """Mean absolute error over the bands of valid pixels of ``(B, C, H, W)``, a scalar."""
    output, target = _clear(output, target, valid)
    return _mean((output - target).abs().mean(1, keepdim=True), valid)


def squared_error(output: Tensor, target: Tensor, valid: Tensor | None = None) -> Tensor:
    """Mean squared error over the bands of valid pixels of ``(B, C, H, W)``, a scalar."""
    output, target = _clear(output, target, valid)
    return _mean((output - target).square().mean(1, keepdim=True), valid)


def spectral_angle(output: Tensor, target: Tensor, valid: Tensor | None = None) -> Tensor:
    """Mean angle in radians, 0 to π, between the spectra of ``(B, C, H, W)``, a scalar. Kruse et al. 1993.

    By the chord of unit vectors (Kahan 2006, "How futile are mindless assessments of roundoff", section 12), whose
    gradient stays finite for parallel, equal and opposite spectra. Targets of zeros have no direction, so that
    theirs is 0 without a gradient; an output of zeros is at π/2, and its gradient leads towards the target.
    """
    output, target = _clear(output, target, valid)
    length = torch.linalg.vector_norm(target, dim=1, keepdim=True)
    present = length > 0
    length = torch.where(present, length, torch.ones_like(length))
    own = torch.linalg.vector_norm(output, dim=1, keepdim=True)
    u, v = output / torch.maximum(own, LEAST_LENGTH * length), target / length
    apart, together = (torch.linalg.vector_norm(w, dim=1, keepdim=True) for w in (u - v, u + v))
    # torch takes 0 for the slope of a length of zero and of atan2(0, 0), so that no pixel's gradient is lost.
    return _mean((2 * torch.atan2(apart, together)).where(present, 0.0), valid)


def gradient_weights(wavelength_nm: Tensor, *, widest: float = WIDEST) -> Tensor:
    """What the difference of each two neighbouring bands counts for, ``(C - 1,)``: the typical spacing by their own.

    The typical spacing is the median one. Pairs further apart than ``widest`` times it weigh 0, since bands were
    removed between them; no pair weighs more than ``widest``, for detectors that overlap. ``ValueError`` unless
    ``wavelength_nm`` ``(C,)`` ascends.
    """
    spacing = wavelength_nm.double().diff()
    if not bool((spacing >= 0).all()):
        raise ValueError("wavelengths do not ascend")
    if not len(spacing):
        return spacing
    typical = spacing.quantile(0.5).clamp(min=torch.finfo(torch.float64).tiny)
    weights = typical / torch.maximum(spacing, typical / widest)
    return torch.where(spacing <= widest * typical, weights, 0.0)


def spectral_gradient(
    output: Tensor, target: Tensor, wavelength_nm: Tensor, valid: Tensor | None = None, *, widest: float = WIDEST
) -> Tensor:
    """Mean absolute error of the slope of spectra ``(B, C, H, W)`` along ``wavelength_nm`` ``(C,)``, a scalar.

    Slopes are times the typical spacing, so that on an even grid they are the differences of neighbouring bands, in the
    unit of the spectra. The mean is over pairs that :func:`gradient_weights` lets count; without any it is 0.
    """
    output, target = _clear(output, target, valid)
    weights = gradient_weights(wavelength_nm, widest=widest).to(output)
    error = (output - target).diff(dim=1).abs() * weights[:, None, None]
    return _mean(error.sum(1, keepdim=True) / (weights > 0).sum().clamp(min=1), valid)


def response_error(
    output: Tensor,
    response: Tensor,
    measured: Tensor,
    valid: Tensor | None = None,
    *,
    offset: Tensor | None = None,
    average: Average | None = None,
) -> Tensor:
    """Mean absolute error of spectra ``(B, C, H, W)``, seen through ``response`` ``(K, C)``, from what was measured.

    ``measured`` is ``(B, K, H, W)``. Where output and measurement are normalised, ``response`` and ``offset`` ``(K,)``
    are those between the normalised values. A sensor of wider pixels needs ``average``, which makes what is seen and
    the valid pixels those of the sensor, for ``measured`` ``(B, K, h, w)``.
    """
    with torch.autocast(output.device.type, enabled=False):
        seen = torch.einsum("kc,bchw->bkhw", response.to(_wide(output)), _wide(output))
        seen = seen if offset is None else seen + offset.to(seen)[:, None, None]
        if average is not None:
            seen, valid = average(seen, valid)
    return absolute_error(seen, measured, valid)


def combined_loss(
    output: Tensor,
    target: Tensor,
    *,
    wavelength_nm: Tensor,
    valid: Tensor | None = None,
    l1: float = 1.0,
    l2: float = 0.0,
    sam: float = 0.1,
    spectral_grad: float = 0.1,
    consistency: float = 0.0,
    response: Tensor | None = None,
    measured: Tensor | None = None,
    offset: Tensor | None = None,
    average: Average | None = None,
) -> tuple[Tensor, Terms]:
    """The loss of spectral super-resolution, a scalar, and its unweighted terms by name.

    A term of weight 0 is neither computed nor returned. ``consistency`` weighs :func:`response_error` and needs
    ``response`` and ``measured`` (``ValueError``).
    """
    weights = {"l1": l1, "l2": l2, "sam": sam, "spectral_grad": spectral_grad, "consistency": consistency}
    terms = _basic_terms(output, target, valid, weights)
    if spectral_grad:
        terms["spectral_grad"] = spectral_gradient(output, target, wavelength_nm, valid)
    if consistency:
        if response is None or measured is None:
            raise ValueError("consistency needs the response and what was measured")
        terms["consistency"] = response_error(output, response, measured, valid, offset=offset, average=average)
    return _total(terms, weights, output), terms


def spatial_loss(
    output: Tensor,
    target: Tensor,
    *,
    valid: Tensor | None = None,
    l1: float = 1.0,
    l2: float = 0.0,
    sam: float = 0.05,
) -> tuple[Tensor, Terms]:
    """The loss of spatial super-resolution, a scalar, and its unweighted terms by name.

    A term of weight 0 is neither computed nor returned.
    """
    weights = {"l1": l1, "l2": l2, "sam": sam}
    terms = _basic_terms(output, target, valid, weights)
    return _total(terms, weights, output), terms


def _basic_terms(output: Tensor, target: Tensor, valid: Tensor | None, weights: dict[str, float]) -> Terms:
    kinds = {"l1": absolute_error, "l2": squared_error, "sam": spectral_angle}
    return {name: loss(output, target, valid) for name, loss in kinds.items() if weights[name]}


def _total(terms: Terms, weights: dict[str, float], output: Tensor) -> Tensor:
    # Without any term it is a zero that can still be differentiated.
    start = _wide(output).flatten()[:0].sum()
    return sum((weights[name] * term for name, term in terms.items()), start=start)


def _clear(output: Tensor, target: Tensor, valid: Tensor | None) -> tuple[Tensor, Tensor]:
    """Both in float32 or wider, zero where not valid: times 0 what is not a number would stay so."""
    output, target = _wide(output), _wide(target)
    if output.shape != target.shape:
        raise ValueError(f"images of shapes {tuple(output.shape)} and {tuple(target.shape)} cannot be compared")
    if valid is None:
        return output, target
    return output.where(valid, 0.0), target.where(valid, 0.0)


def _mean(pixels: Tensor, valid: Tensor | None) -> Tensor:
    """The mean of ``(B, 1, H, W)`` over valid pixels."""
    if valid is None:
        return pixels.mean()
    return pixels.where(valid, 0.0).sum() / valid.sum().clamp(min=1)


def _wide(x: Tensor) -> Tensor:
    return x.to(torch.promote_types(x.dtype, torch.float32))
