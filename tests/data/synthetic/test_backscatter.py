from __future__ import annotations

import numpy as np
import pytest

from rsforge.data.synthetic.backscatter import LOOKS, add_speckle, sigma0, to_decibel, to_grey, to_linear
from rsforge.data.synthetic.noise_textures import MATERIALS, PaintedScene
from rsforge.data.synthetic.world import draw_strips


def flat(material: str, size: int = 64) -> PaintedScene:
    g = PaintedScene(np.random.default_rng(0), size, record=True)
    g.paint(np.ones(g.shape, np.float32), np.zeros((3, 1, 1), np.float32), material)
    return g


@pytest.mark.parametrize("looks", [1.0, LOOKS])
def test_speckle_is_gamma_noise_of_mean_one_and_variance_one_over_looks(looks: float) -> None:
    power = np.full((500, 500), 0.03, np.float32)
    noisy = add_speckle(power, looks, np.random.default_rng(1)) / 0.03
    assert noisy.dtype == np.float32 and (noisy > 0).all()
    assert noisy.mean() == pytest.approx(1, abs=0.01)
    assert noisy.var() * looks == pytest.approx(1, abs=0.03)
    skewness = ((noisy - 1) ** 3).mean() / noisy.std() ** 3
    assert skewness == pytest.approx(2 / looks**0.5, rel=0.1)
    neighbours = np.corrcoef(noisy[:, 1:].ravel(), noisy[:, :-1].ravel())[0, 1]
    assert abs(neighbours) < 0.01


def test_speckle_multiplies() -> None:
    power = np.array([[1e-3, 1.0]], np.float32)
    once, twice = (add_speckle(p, 4, np.random.default_rng(2)) for p in (power, 2 * power))
    np.testing.assert_allclose(twice, 2 * once, rtol=1e-6)


def test_materials_stand_at_their_levels_in_order() -> None:
    power = {m: np.mean([sigma0(flat(m, 8), np.random.default_rng(k)) for k in range(60)]) for m in MATERIALS}
    db = {m: float(to_decibel(power[m])) for m in MATERIALS}
    assert sorted(db, key=lambda m: db[m])[0] == "water" and db["water"] == pytest.approx(-22, abs=1)
    assert db["water"] < db["road"] < db["soil"] < db["crop"] < db["forest"] < db["roof"] < 0
    assert -10 < db["forest"] < -7


def test_parcels_differ_and_other_materials_know_none() -> None:
    g = PaintedScene(np.random.default_rng(0), 16, record=True)
    parcel = np.repeat(np.arange(4), 8)[:, None] * np.ones((1, 32), np.int64)
    g.paint_parcels(parcel.astype(np.int64), np.tile(np.float32([[0.3, 0.45, 0.2]]), (4, 1)))
    means = to_decibel(sigma0(g, np.random.default_rng(5))).reshape(4, 4, 16).mean((1, 2))
    assert means.std() > 1
    g.paint(np.ones(g.shape, np.float32), np.zeros((3, 1, 1), np.float32), "water")
    covered = to_decibel(sigma0(g, np.random.default_rng(5))).reshape(4, 4, 16).mean((1, 2))
    assert covered.std() < 1


def test_a_wall_that_faces_the_radar_echoes_and_the_ground_behind_it_is_dark() -> None:
    size = 64
    g = flat("grass", size)
    block = np.zeros(g.shape, np.float32)
    block[:, 40:80] = 1
    g.paint(block, np.zeros((3, 1, 1), np.float32), "forest")
    db = to_decibel(sigma0(g, np.random.default_rng(6))).mean(0)
    inside = db[23:37].mean()
    assert db[20] > inside + 1 and db[40] < db[44:].mean() - 0.5


def test_grey_levels_span_the_clip_window() -> None:
    assert to_grey(np.float32([-40, -25, -12.5, 0, 9])).tolist() == [0, 0, 128, 255, 255]
    np.testing.assert_allclose(to_decibel(to_linear(np.float32([-30, -3.5, 2]))), [-30, -3.5, 2], atol=1e-4)
    assert to_decibel(np.zeros(1, np.float32))[0] == pytest.approx(-60)


def gradient(image: np.ndarray) -> np.ndarray:
    dy, dx = np.gradient(image.astype(float))
    return np.hypot(dy, dx)


@pytest.mark.parametrize("kind", ["fields", "river", "village", "coast"])
def test_sar_and_optical_edges_lie_on_each_other(kind: str) -> None:
    (g,) = draw_strips(4, 1, 128, kind=kind)
    sar = gradient(to_decibel(sigma0(g, np.random.default_rng(7))))
    optical = sum(gradient(band) for band in g.pixels().transpose(2, 0, 1))
    assert np.corrcoef(sar.ravel(), optical.ravel())[0, 1] > 0.25
    spectrum = np.fft.fft2(sar - sar.mean()) * np.conj(np.fft.fft2(optical - optical.mean()))
    peak = np.unravel_index(np.fft.ifft2(spectrum).real.argmax(), sar.shape)
    assert peak == (0, 0)
