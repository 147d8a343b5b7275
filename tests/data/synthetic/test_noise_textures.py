"""Noise, masks and colours of a painted scene."""

from __future__ import annotations

import numpy as np
import pytest

from rsforge.data.synthetic.noise_textures import MATERIALS, PaintedScene, parse_colours, pool_samples


def new_scene(rows: slice | None = None, *, record: bool = False) -> PaintedScene:
    return PaintedScene(np.random.default_rng(5), 32, rows, record)


def test_colours_are_parsed():
    colours = parse_colours("255 0 51, 0 255 0")
    assert colours.shape == (2, 3, 1, 1) and colours.dtype == np.float32
    np.testing.assert_allclose(colours[:, :, 0, 0], [[1, 0, 0.2], [0, 1, 0]])


def test_noise_is_smooth_of_unit_variance_and_the_same_in_strips():
    noise = np.stack([PaintedScene(np.random.default_rng(k), 64).noise(12) for k in range(12)])
    assert abs(noise.std() - 1) < 0.15 and abs(noise.mean()) < 0.2
    assert np.abs(np.diff(noise, axis=2)).max() < 0.8
    strip = new_scene(slice(8, 12)).noise(6, 2)
    np.testing.assert_allclose(strip, new_scene().noise(6, 2)[16:24], atol=1e-6)


def test_axes_turn_with_the_angle():
    scene = new_scene()
    u, v = scene.rotated_axes(0.0)
    assert np.array_equal(u + 0 * v, scene.x + 0 * scene.y) and np.array_equal(v + 0 * u, scene.y + 0 * scene.x)
    u, v = scene.rotated_axes(np.pi / 2)
    np.testing.assert_allclose(u, np.broadcast_to(scene.y, u.shape), atol=1e-6)
    np.testing.assert_allclose(u**2 + v**2, scene.x**2 + scene.y**2, atol=1e-6)


@pytest.mark.parametrize(("softness", "width"), [(0.0, 1 / 64), (0.5, 0.5)])
def test_coverage_rises_over_the_softness(softness, width):
    scene = new_scene()
    covered = scene.coverage(np.array([-width, -width / 2, 0, width / 4, width / 2, width], np.float32), softness)
    np.testing.assert_allclose(covered, [0, 0, 0.5, 0.75, 1, 1], atol=1e-6)


def test_painted_materials_replace_those_below():
    scene = new_scene(record=True)
    scene.paint_parcels(np.zeros(scene.shape, np.int64), np.array([[0.1, 0.8, 0.1]], np.float32))
    assert scene.material_share("crop").min() == 1 and scene.parcel.max() == 0
    scene.paint(np.full(scene.shape, 0.25, np.float32), parse_colours("0 0 0")[0], "water")
    np.testing.assert_allclose(scene.material_share("water"), 0.25)
    np.testing.assert_allclose(scene.shares.sum(0), 1, atol=1e-6)
    np.testing.assert_allclose(scene.rgb[1], 0.6, atol=1e-6)
    assert set(np.flatnonzero(scene.shares.sum((1, 2)))) == {MATERIALS.index("crop"), MATERIALS.index("water")}
    scene.shade(np.float32(0.5))
    assert scene.pixels().shape == (32, 32, 3) and scene.pixels()[0, 0, 1] == 77


def test_pixels_are_means_of_four_samples():
    samples = np.arange(32, dtype=np.float32).reshape(2, 4, 4)
    assert pool_samples(samples)[0].tolist() == [[2.5, 4.5], [10.5, 12.5]]
