"""Which bands make a picture, and where curves break."""

from __future__ import annotations

import numpy as np

from rsforge.data.spectra.composites import (
    choose_landsat_bands,
    choose_rgb_bands,
    draw_composite,
    find_runs,
    find_stretch,
)

OLI = ("coastal", "blue", "green", "red", "nir", "swir1", "swir2")


def test_the_bands_are_the_nearest_to_red_green_and_blue():
    nm = np.linspace(400, 2400, 201)
    assert [nm[band] for band in choose_rgb_bands(nm, 201)] == [650, 550, 470]
    assert choose_rgb_bands(None, 100) == (75, 50, 25)


def test_landsat_bands_are_chosen_by_name():
    assert choose_landsat_bands(OLI, 7) == (3, 2, 1) == choose_landsat_bands((), 7)
    assert choose_landsat_bands(("Blue", "Green", "Red", "NIR"), 4) == (2, 1, 0)
    assert choose_landsat_bands((), 3) == (2, 1, 0) and choose_landsat_bands(("pan",), 1) == (0, 0, 0)


def test_a_picture_is_stretched_by_its_valid_pixels_and_black_elsewhere():
    image = np.stack([np.linspace(0, 100, 101)[None].repeat(2, 0)] * 3).astype(np.float32)
    valid = np.ones((2, 101), bool)
    image[:, 0, 50], valid[0, 50] = np.nan, False
    stretch = find_stretch(image, valid)
    np.testing.assert_allclose(stretch[:, 0], [2, 98], atol=0.5)
    pixels = draw_composite(image, valid, stretch)
    assert pixels.shape == (2, 101, 3) and pixels.dtype == np.uint8
    assert (pixels[0, 50] == 0).all() and (pixels[:, :3] == 0).all() and (pixels[:, 98:] == 255).all()
    assert abs(int(pixels[1, 50, 0]) - 128) < 2
    assert (draw_composite(image, ~valid & False, find_stretch(image, ~valid & False)) == 0).all()


def test_curves_break_where_bands_were_removed():
    nm = np.concatenate([np.arange(400, 1341, 5), np.arange(1480, 1771, 5), np.arange(1990, 2400, 5)]).astype(float)
    runs = find_runs(nm, len(nm))
    assert [(nm[run][0], nm[run][-1]) for run in runs] == [(400, 1340), (1480, 1770), (1990, 2395)]
    for whole in (find_runs(None, 9), find_runs(np.arange(9.0), 9)):
        assert [run.tolist() for run in whole] == [list(range(9))]
    assert [run.tolist() for run in find_runs(np.array([400.0, 2400]), 2)] == [[0, 1]]


def test_curves_do_not_jump_between_overlapping_detectors():
    """Bands of two detectors lie between one another once they are sorted; a line through all is a saw."""
    stored = np.concatenate([np.arange(400, 1000, 10), np.arange(905, 1340, 10), np.arange(1500, 1700, 10)]).astype(
        float
    )
    order = np.argsort(stored)
    nm = stored[order]
    runs = find_runs(nm, len(nm), order)
    assert [(nm[run][0], nm[run][-1]) for run in runs] == [(400, 990), (905, 1335), (1500, 1690)]
    assert sorted(np.concatenate(runs)) == list(range(len(nm))) and all((np.diff(nm[run]) == 10).all() for run in runs)
