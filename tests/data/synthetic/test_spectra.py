from __future__ import annotations

import numpy as np

from rsforge.data.synthetic.noise_textures import MATERIALS
from rsforge.data.synthetic.spectra import endmembers


def at(*wavelength_nm: float) -> dict[str, np.ndarray]:
    return dict(zip(MATERIALS, endmembers(np.array(wavelength_nm, np.float32)), strict=True))


def test_every_material_reflects_between_nothing_and_all_without_jumps() -> None:
    curves = endmembers(np.arange(376, 2501, dtype=np.float32))
    assert curves.shape == (len(MATERIALS), 2125) and curves.dtype == np.float32
    assert (curves >= 0).all() and (curves <= 1).all()
    assert np.abs(np.diff(curves)).max() < 0.012


def test_plants_have_a_red_edge_a_green_peak_and_water_in_them() -> None:
    bands = at(480, 550, 670, 860, 1280, 1450, 1650)
    for plant in ("crop", "grass", "forest"):
        blue, green, red, nir, _, absorbed, swir = bands[plant]
        assert green > blue and green > red and (nir - red) / (nir + red) > 0.7 and absorbed < swir / 1.5
    for bare in ("soil", "sand", "road", "roof"):
        blue, _, red, nir, *_ = bands[bare]
        assert blue < red < nir < 2 * red


def test_water_is_dark_beyond_the_visible() -> None:
    green, nir, swir = at(550, 860, 1650)["water"]
    assert green > 10 * nir and swir < 0.005


def test_beyond_the_table_the_ends_go_on() -> None:
    ends = endmembers(np.array([300, 376, 2500, 2600], np.float32))
    assert (ends[:, 0] == ends[:, 1]).all() and (ends[:, 2] == ends[:, 3]).all()
