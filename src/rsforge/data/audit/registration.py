"""The shift between the optical and the SAR image of a pair.

Speckle and different physics leave no common intensities, so that plain phase correlation finds nothing. What both
images show are borders of fields, roads and buildings. Three measures of agreement are computed for every shift up to a
limit:

1. the squared correlation of smoothed values within small blocks, where one image is nearly a linear function of the
   other, of either sign (after Cachier and Pennec 2000, "3D non-rigid registration by gradient descent on a
   Gaussian-windowed similarity measure");
2. the same for the magnitude of gradients;
3. the agreement of the directions of gradients, as complex numbers of twice the angle, which do not depend on the
   sign of the contrast (after Fitch et al. 2002, "Orientation correlation").

Each measure is a surface over shifts. It is reduced to standard scores, so that the three have equal weight, and the
sum has its peak at the shift. The height of the peak above all others is the confidence.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import fft, ndimage

Plane = npt.NDArray[np.float32]
Field = npt.NDArray[np.complex64]

SEARCH = 16
CONCLUSIVE = 1.3
CERTAIN = 1.6
_BLOCK = 12  # pixels of a block
_MAX_BLOCKS = 18  # along each axis
_MIN_SIZE = 48  # pixels of an image
_FULL_SIZE = 256  # from which on the confidence is not reduced
_MAX_SIZE = 1024  # pixels of the centre of which directions are compared


@dataclass(frozen=True)
class Shift:
    """How many pixels the optical image lies lower (``rows``) and further right (``cols``) than the SAR image.

    ``confidence`` is the height of the peak of agreement above the highest value more than 2 pixels away, in standard
    deviations over all shifts, reduced for images under 256 pixels. For unrelated images of 256 pixels it is below 0.8
    in nine of ten cases and above ``CONCLUSIVE`` in one of a hundred.
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


def measure_shift(
    sar: npt.NDArray[np.generic], optical: npt.NDArray[np.generic], *, search: int = SEARCH
) -> Shift | None:
    """The shift of a pair, each ``(H, W)`` or ``(H, W, C)`` (channels are averaged), same H and W.

    Shifts up to ``search`` pixels are tried, fewer in images under 128 pixels; ``None`` for images under 48 pixels or
    without texture.

    Measured on 125 real pairs of 224 and 256 pixels, about 55 ms each, displaced by 4 pixels: all pairs of 3 m or finer
    are ``CERTAIN``, 96 % within 0.5 pixels. Of Sentinel-1 and -2, 97 % over fields, 80 % over towns and rivers and two
    thirds of colour images are conclusive at that length. Half of all are within 0.5 pixels relative to the shift of
    their folder, the rest mostly within 1.5: pairs have shifts of their own, a few of 3 to 4 pixels.
    """
    first, second = _to_plane(sar), _to_plane(optical)
    if first.shape != second.shape:
        raise ValueError(f"images of different size: {first.shape} and {second.shape}")
    search = min(search, min(first.shape) // 8)
    if min(first.shape) < _MIN_SIZE or first.std() < 1e-6 or second.std() < 1e-6:
        return None
    # SAR is smoothed more, because of its speckle.
    smooth_first, smooth_second = ndimage.gaussian_filter(first, 1.0), ndimage.gaussian_filter(second, 0.7)
    first_directions = double_angle_gradient(_crop_centre(first), 1.5)
    second_directions = double_angle_gradient(_crop_centre(second), 1.0)
    evidence = (
        block_correlation(smooth_first, smooth_second, search),
        block_correlation(_edge_magnitude(first), _edge_magnitude(second), search),
        direction_agreement(first_directions, second_directions, search),
    )
    total: Plane = np.sum([_standard_scores(surface) for surface in evidence], axis=0)
    # Small images agree by chance more often: crops of registered pairs to 128 and 192 pixels gave this factor.
    return _locate_peak(total, min(1.0, min(first.shape) / _FULL_SIZE))


def _edge_magnitude(plane: Plane) -> Plane:
    """The magnitude of gradients at a scale of 1.2 pixels, smoothed."""
    edges: Plane = ndimage.gaussian_filter(ndimage.gaussian_gradient_magnitude(plane, 1.2), 0.5)
    return edges


def _to_plane(values: npt.NDArray[np.generic]) -> Plane:
    """One channel with mean 0 and standard deviation 1."""
    plane = np.nan_to_num(np.asarray(values, np.float32), posinf=0, neginf=0)
    if plane.ndim == 3:
        plane = plane.mean(axis=2)
    scale = plane.std()
    scaled: Plane = (plane - plane.mean()) / (scale if scale > 0 else 1)
    return scaled


def block_correlation(first: Plane, second: Plane, search: int) -> Plane:
    """The mean of ``-log(1 - r²)`` over blocks, ``(2·search+1, 2·search+1)``.

    Element ``[search+i, search+j]`` compares ``first`` with ``second`` read ``i`` rows lower and ``j`` columns further
    right. Blocks of ``first`` are correlated with larger blocks of ``second`` by the Fourier transform.
    """
    wide = _BLOCK + 2 * search
    shifts = 2 * search + 1
    rows, cols = (_block_starts(extent - wide) for extent in first.shape)
    corners = [(row, col) for row in rows for col in cols]
    inner = _cut_blocks(first, [(row + search, col + search) for row, col in corners], _BLOCK)
    inner -= inner.mean((1, 2), keepdims=True)
    length = fft.next_fast_len(wide, real=True)
    shape = (length, length)
    spectrum = np.conj(fft.rfft2(inner, shape)) * fft.rfft2(_cut_blocks(second, corners, wide), shape)
    products = fft.irfft2(spectrum, shape)[:, :shifts, :shifts]
    second_spread = _cut_blocks(_block_spread(second), corners, shifts)
    first_spread = (inner**2).sum((1, 2))[:, None, None]
    # A hundredth of the mean spread is added, so that flat blocks, whose correlation is noise, count for nothing.
    second_spread = second_spread + 0.01 * second_spread.mean() + 1e-12
    first_spread = first_spread + 0.01 * first_spread.mean() + 1e-12
    r2 = products**2 / (second_spread * first_spread)
    result: Plane = -np.log1p(-np.minimum(r2, 0.99)).mean(0)
    return result


def double_angle_gradient(plane: Plane, scale: float) -> Field:
    """The gradient at ``scale`` pixels as a complex number with twice its angle.

    Its length is that of the gradient relative to the mean length in the neighbourhood, so that weak borders count as
    much as strong ones.
    """
    across = ndimage.gaussian_filter(plane, scale, order=(0, 1))
    down = ndimage.gaussian_filter(plane, scale, order=(1, 0))
    slope = across + 1j * down
    length = abs(slope)
    near = ndimage.gaussian_filter(length, 6.0) + 0.1 * length.mean() + 1e-12
    result: Field = (slope * slope / ((length + 1e-12) * near)).astype(np.complex64)
    return result


def direction_agreement(first: Field, second: Field, search: int) -> Plane:
    """The cross-correlation of directions at every shift, in the order of ``block_correlation``."""
    inner = first[search:-search, search:-search]
    shifts = 2 * search + 1
    shape = [fft.next_fast_len(extent) for extent in second.shape]
    spectrum = np.conj(fft.fft2(inner - inner.mean(), shape)) * fft.fft2(second, shape)
    result: Plane = fft.ifft2(spectrum)[:shifts, :shifts].real
    return result


def _crop_centre(plane: Plane) -> Plane:
    """At most ``_MAX_SIZE`` x ``_MAX_SIZE`` pixels at the centre."""
    row, col = (max(extent - _MAX_SIZE, 0) // 2 for extent in plane.shape)
    return plane[row : row + _MAX_SIZE, col : col + _MAX_SIZE]


def _standard_scores(surface: Plane) -> Plane:
    """Standard scores of a surface without its smooth part: a broad maximum does not locate a shift."""
    sharp = surface - ndimage.gaussian_filter(surface, 4.0)
    spread = float(sharp.std())
    scored: Plane = sharp / spread if spread > 0 else np.zeros_like(sharp)
    return scored


def _cut_blocks(plane: Plane, corners: list[tuple[int, int]], size: int) -> Plane:
    return np.stack([plane[row : row + size, col : col + size] for row, col in corners])


def _block_spread(plane: Plane) -> Plane:
    """The sum of squared deviations from the mean, for the block that begins at each pixel."""
    values = plane.astype(float)
    from_corner = -(_BLOCK // 2)  # shifts the filter from the centre of a block to its upper left corner
    mean = ndimage.uniform_filter(values, _BLOCK, mode="constant", origin=from_corner)
    mean_square = ndimage.uniform_filter(values**2, _BLOCK, mode="constant", origin=from_corner)
    result: Plane = np.maximum(mean_square - mean**2, 0).astype(np.float32) * np.float32(_BLOCK**2)
    return result


def _block_starts(last: int) -> list[int]:
    """Where blocks begin, from 0 to ``last``: adjacent in small images, apart in those above 256 pixels."""
    step = max(_BLOCK, last // (_MAX_BLOCKS - 1))
    return list(range(0, last + 1, step))[:_MAX_BLOCKS]


def _locate_peak(surface: Plane, factor: float) -> Shift | None:
    """The peak of a surface to a fraction of a pixel, with ``factor`` times its confidence; None for a flat surface."""
    search = surface.shape[0] // 2
    row, col = (int(k) for k in np.unravel_index(surface.argmax(), surface.shape))
    down, across = np.ogrid[-row : surface.shape[0] - row, -col : surface.shape[1] - col]
    distance = np.maximum(abs(down), abs(across))
    spread = float(surface[distance > 4].std())
    if not spread > 0:
        return None
    confidence = factor * float(surface[row, col] - surface[distance > 2].max()) / spread
    rows = row - search + _parabola_vertex(surface[:, col], row)
    cols = col - search + _parabola_vertex(surface[row], col)
    return Shift(rows, cols, confidence)


def _parabola_vertex(line: Plane, k: int) -> float:
    """The offset from ``k`` of the vertex of the parabola through ``line`` at ``k`` and its neighbours."""
    if not 0 < k < len(line) - 1:
        return 0.0
    left, middle, right = (float(value) for value in line[k - 1 : k + 2])
    curvature = left - 2 * middle + right
    return 0.5 * (left - right) / curvature if curvature < 0 else 0.0


def common_shift(shifts: list[Shift]) -> tuple[float, float]:
    """The median (rows, cols) of the conclusive shifts; zero where fewer than three are conclusive."""
    conclusive = [shift for shift in shifts if shift.conclusive]
    if len(conclusive) < 3:
        return 0.0, 0.0
    rows = np.median([shift.rows for shift in conclusive])
    cols = np.median([shift.cols for shift in conclusive])
    return float(rows), float(cols)
