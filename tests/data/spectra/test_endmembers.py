from __future__ import annotations

import numpy as np
import pytest

from rsforge.data.spectra.endmembers import PixelSample, find_by_kmeans, find_by_vca
from rsforge.data.synthetic.spectra import endmembers
from rsforge.errors import RsforgeError

MATERIALS = endmembers(np.linspace(400, 2400, 60).astype(np.float32))[[0, 1, 4, 5, 8]]


def mixtures(*, count: int = 2000, noise: float = 0.0, light: float = 0.0, seed: int = 0) -> np.ndarray:
    """Mixtures of five materials; the first five pixels are pure."""
    rng = np.random.default_rng(seed)
    shares = rng.dirichlet(np.ones(5), count)
    shares[:5] = np.eye(5)
    values = shares @ MATERIALS * (1 + light * rng.uniform(-1, 1, (count, 1)))
    return (values + noise * rng.standard_normal(values.shape)).astype(np.float32)


def angles(found: np.ndarray) -> np.ndarray:
    """The angle in radians from each material to the nearest spectrum that was found."""
    unit = found / np.linalg.norm(found, axis=1, keepdims=True)
    materials = MATERIALS / np.linalg.norm(MATERIALS, axis=1, keepdims=True)
    return np.arccos(np.clip(materials @ unit.T, -1, 1)).min(axis=1)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_vca_finds_the_pure_pixels(seed):
    assert sorted(find_by_vca(mixtures(), 5, seed=seed).tolist()) == [0, 1, 2, 3, 4]


def test_vca_finds_them_whatever_the_brightness_and_ignores_dark_pixels():
    pixels = mixtures(light=0.6)
    pixels[100:110] = 1e-6 * np.random.default_rng(1).standard_normal((10, 60))
    assert angles(pixels[find_by_vca(pixels, 5, seed=0)]).max() < 0.02


@pytest.mark.parametrize("noise", [0.005, 0.03])
def test_vca_finds_what_is_nearly_pure_under_noise(noise):
    """The second noise is above the limit at which components are used instead of the projection."""
    pixels = mixtures(noise=noise)
    found = find_by_vca(pixels, 5, seed=0)
    shares = mixtures()[found]
    assert angles(shares).max() < 0.25 and angles(mixtures()[5:10]).max() > 0.3


def test_vca_tells_brightness_apart_where_noise_is_strong():
    """The projection, which is for clean spectra, sees a spectrum and three times it at one place."""
    rng = np.random.default_rng(0)
    shares = rng.dirichlet(np.full(3, 0.3), 3000)
    corners = np.stack([MATERIALS[0], 3 * MATERIALS[0], MATERIALS[4]])
    pixels = shares @ corners + 0.06 * rng.standard_normal((3000, 60))
    assert shares[find_by_vca(pixels.astype(np.float32), 3, seed=0)].max(axis=0).min() > 0.8


def test_vca_depends_on_nothing_but_pixels_and_seed():
    pixels = mixtures(noise=0.01)
    assert find_by_vca(pixels, 4, seed=7).tolist() == find_by_vca(pixels, 4, seed=7).tolist()
    assert find_by_vca(pixels, 1, seed=0).tolist() == [int(np.linalg.norm(pixels, axis=1).argmax())]


@pytest.mark.parametrize(
    ("pixels", "why"),
    [
        (mixtures(count=5)[:3], "too few pixels or bands"),
        (mixtures()[:, :4], "too few pixels or bands"),
        (np.ones((50, 9), np.float32), "mixtures of fewer than 5"),
    ],
)
def test_vca_says_when_there_is_too_little(pixels, why):
    with pytest.raises(RsforgeError) as caught:
        find_by_vca(pixels, 5, seed=0)
    assert caught.value.code == "RSF-D004" and why in caught.value.what


def test_kmeans_finds_the_centres_of_groups():
    rng = np.random.default_rng(0)
    pixels = np.repeat(MATERIALS, 200, axis=0) + 0.002 * rng.standard_normal((1000, 60))
    centres = find_by_kmeans(pixels.astype(np.float32), 5, seed=3)
    assert centres.shape == (5, 60) and centres.dtype == np.float32 and angles(centres).max() < 0.01
    assert np.array_equal(centres, find_by_kmeans(pixels.astype(np.float32), 5, seed=3))
    with pytest.raises(RsforgeError) as caught:
        find_by_kmeans(np.repeat(MATERIALS[:2], 9, axis=0), 3, seed=0)
    assert caught.value.code == "RSF-D004" and caught.value.found == "2 different spectra"


def test_a_sample_is_bounded_even_and_a_function_of_the_seed():
    def sample(seed: int) -> np.ndarray:
        measure = PixelSample(4, seed=seed, most=40)
        for k in range(4):
            values = np.full((500, 3), k, np.float32) + np.arange(500, dtype=np.float32)[:, None] / 1000
            measure.add(f"x#{k}", values[:, :2] + 7, values)
        assert np.array_equal(measure.landsat(), measure.pixels()[:, :2] + 7)
        return measure.pixels()

    one = sample(0)
    values, counts = np.unique(one[:, 0].astype(int), return_counts=True)
    assert values.tolist() == [0, 1, 2, 3] and counts.min() >= 9 and len(one) <= 40
    assert np.array_equal(one, sample(0)) and not np.array_equal(one, sample(1))
    empty = PixelSample(1, seed=0)
    empty.add("x#0", np.zeros((9, 2), np.float32), np.zeros((9, 3), np.float32))
    with pytest.raises(RsforgeError) as caught:
        empty.pixels()
    assert caught.value.code == "RSF-D004"
