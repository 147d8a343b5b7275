"""How far the optical image of a pair lies from where the SAR image says it should.

Speckle and different physics leave no common intensities, so that plain phase correlation finds nothing. What both show
are borders. Three witnesses are heard for every shift, and their standard scores added: within a small block, one image
is nearly a linear function of the other, of either sign, so that the squared correlation of blocks is high (after
Cachier and Pennec 2000, "3D non-rigid registration by gradient descent on a Gaussian-windowed similarity measure"),
once for the smoothed values and once for the magnitude of their gradient; and borders run in the same direction, of
which the double angle forgets the sign of the contrast (after Fitch et al. 2002, "Orientation correlation").
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import fft, ndimage

Plane = npt.NDArray[np.float32]
Field = npt.NDArray[np.complex64]

SEARCH = 16
CONCLUSIVE, CERTAIN = 1.3, 1.6
_BLOCK, _MOST_BLOCKS, _SMALLEST, _FULL, _LARGEST = 12, 18, 48, 256, 1024


@dataclass(frozen=True)
class Shift:
    """How many pixels the optical image lies lower (``rows``) and further right (``cols``) than the SAR image.

    ``confidence`` is the height of the best agreement above the best one elsewhere (over 2 pixels away), in standard
    deviations over all shifts, discounted in images under 256 pixels: of unrelated images of 256 pixels it is below
    0.8 in nine of ten, above ``CONCLUSIVE`` in one of a hundred.
    """

    rows: float
    cols: float
    confidence: float

    @property
    def length(self) -> float:
        return float(np.hypot(self.rows, self.cols))

    @property
    def conclusive(self) -> bool:
        return self.confidence >= CONCLUSIVE

    def minus(self, rows: float, cols: float) -> Shift:
        return Shift(self.rows - rows, self.cols - cols, self.confidence)


def shift(sar: npt.NDArray[np.generic], optical: npt.NDArray[np.generic], *, search: int = SEARCH) -> Shift | None:
    """The shift of a pair, each ``(H, W)`` or ``(H, W, C)`` (channels are averaged), same H and W.

    Searched up to ``search`` pixels, fewer in images under 128 pixels; ``None`` for those under 48 or without texture.
    Measured on 125 real pairs of 224 and 256 pixels, about 55 ms each, displaced by 4 pixels: of those of 3 m or finer
    all are ``CERTAIN``, 96 % within 0.5; of Sentinel-1 and -2, 97 % over fields, 80 % over towns and rivers and two
    thirds of the coloured are conclusive at that length. Half of all are within 0.5 beside what their folder shares,
    the rest mostly within 1.5: pairs have offsets of their own, a few of 3 to 4 pixels.
    """
    first, second = _plane(sar), _plane(optical)
    if first.shape != second.shape:
        raise ValueError(f"images of different size: {first.shape} and {second.shape}")
    search = min(search, min(first.shape) // 8)
    if min(first.shape) < _SMALLEST or first.std() < 1e-6 or second.std() < 1e-6:
        return None
    witnesses = (
        agreement(ndimage.gaussian_filter(first, 1.0), ndimage.gaussian_filter(second, 0.7), search),
        agreement(_edges(first), _edges(second), search),
        parallelism(directions(_centre(first), 1.5), directions(_centre(second), 1.0), search),
    )
    found: Plane = np.sum([_standard(witness) for witness in witnesses], axis=0)
    # Little agrees by chance more often: undisturbed crops of real pairs to 128 and 192 pixels gave this discount.
    return _peak(found, min(1.0, min(first.shape) / _FULL))


def _edges(plane: Plane) -> Plane:
    edges: Plane = ndimage.gaussian_filter(ndimage.gaussian_gradient_magnitude(plane, 1.2), 0.5)
    return edges


def _plane(values: npt.NDArray[np.generic]) -> Plane:
    plane = np.nan_to_num(np.asarray(values, np.float32), posinf=0, neginf=0)
    plane = plane.mean(axis=2) if plane.ndim == 3 else plane
    scale = plane.std()
    scaled: Plane = (plane - plane.mean()) / (scale if scale > 0 else 1)
    return scaled


def agreement(first: Plane, second: Plane, search: int) -> Plane:
    """Mean of ``-log(1 - r²)`` over blocks, ``(2·search+1, 2·search+1)``: ``[search+i, search+j]`` where ``second`` is
    read ``i`` rows lower and ``j`` columns further right."""
    wide, side = _BLOCK + 2 * search, 2 * search + 1
    rows, cols = (_starts(extent - wide) for extent in first.shape)
    corners = [(row, col) for row in rows for col in cols]
    inner = _cut(first, [(row + search, col + search) for row, col in corners], _BLOCK)
    inner -= inner.mean((1, 2), keepdims=True)
    length = fft.next_fast_len(wide, real=True)
    shape = (length, length)
    spectrum = np.conj(fft.rfft2(inner, shape)) * fft.rfft2(_cut(second, corners, wide), shape)
    product = fft.irfft2(spectrum, shape)[:, :side, :side]
    spread = _cut(_spread(second), corners, side)
    own = (inner**2).sum((1, 2))[:, None, None]
    # Flat blocks have no opinion: a hundredth of the mean spread keeps their correlation from being noise alone.
    r2 = product**2 / ((spread + 0.01 * spread.mean() + 1e-12) * (own + 0.01 * own.mean() + 1e-12))
    result: Plane = -np.log1p(-np.minimum(r2, 0.99)).mean(0)
    return result


def directions(plane: Plane, scale: float) -> Field:
    """The gradient at ``scale`` pixels as a complex number of twice its angle, as long as it is steep beside
    what is near."""
    across, down = (ndimage.gaussian_filter(plane, scale, order=order) for order in ((0, 1), (1, 0)))
    slope = across + 1j * down
    length = abs(slope)
    near = ndimage.gaussian_filter(length, 6.0) + 0.1 * length.mean() + 1e-12
    result: Field = (slope * slope / ((length + 1e-12) * near)).astype(np.complex64)
    return result


def parallelism(first: Field, second: Field, search: int) -> Plane:
    """How far directions agree at every shift: sums over what both images show, ordered as in ``agreement``."""
    inner, side = first[search:-search, search:-search], 2 * search + 1
    shape = [fft.next_fast_len(extent) for extent in second.shape]
    spectrum = np.conj(fft.fft2(inner - inner.mean(), shape)) * fft.fft2(second, shape)
    result: Plane = fft.ifft2(spectrum)[:side, :side].real
    return result


def _centre(plane: Plane) -> Plane:
    rows, cols = (slice(max(n - _LARGEST, 0) // 2, max(n - _LARGEST, 0) // 2 + _LARGEST) for n in plane.shape)
    return plane[rows, cols]


def _standard(found: Plane) -> Plane:
    """Standard scores, beside what nearby shifts have in common: broad likeness says little of where."""
    sharp = found - ndimage.gaussian_filter(found, 4.0)
    spread = float(sharp.std())
    scored: Plane = sharp / spread if spread > 0 else np.zeros_like(sharp)
    return scored


def _cut(plane: Plane, corners: list[tuple[int, int]], size: int) -> Plane:
    return np.stack([plane[row : row + size, col : col + size] for row, col in corners])


def _spread(plane: Plane) -> Plane:
    """Sum of squared deviations from the mean of the block that begins at each pixel."""
    values, before = plane.astype(float), -(_BLOCK // 2)
    mean, square = (ndimage.uniform_filter(v, _BLOCK, mode="constant", origin=before) for v in (values, values**2))
    result: Plane = np.maximum(square - mean**2, 0).astype(np.float32) * np.float32(_BLOCK**2)
    return result


def _starts(room: int) -> list[int]:
    """Where blocks begin: side by side, in images above 256 pixels apart."""
    step = max(_BLOCK, room // (_MOST_BLOCKS - 1))
    return list(range(0, room + 1, step))[:_MOST_BLOCKS]


def _peak(found: Plane, discount: float) -> Shift | None:
    search = found.shape[0] // 2
    row, col = (int(k) for k in np.unravel_index(found.argmax(), found.shape))
    down, across = np.ogrid[-row : found.shape[0] - row, -col : found.shape[1] - col]
    away = np.maximum(abs(down), abs(across))
    spread = float(found[away > 4].std())
    if not spread > 0:
        return None
    confidence = discount * float(found[row, col] - found[away > 2].max()) / spread
    return Shift(row - search + _vertex(found[:, col], row), col - search + _vertex(found[row], col), confidence)


def _vertex(line: Plane, k: int) -> float:
    """Where the parabola through three neighbours is highest, from the middle one."""
    if not 0 < k < len(line) - 1:
        return 0.0
    left, middle, right = (float(v) for v in line[k - 1 : k + 2])
    bend = left - 2 * middle + right
    return 0.5 * (left - right) / bend if bend < 0 else 0.0


def common(shifts: list[Shift]) -> tuple[float, float]:
    """The shift that pairs of one origin share: the median of the conclusive ones, zero where fewer than three are."""
    sure = [s for s in shifts if s.conclusive]
    if len(sure) < 3:
        return 0.0, 0.0
    return float(np.median([s.rows for s in sure])), float(np.median([s.cols for s in sure]))
