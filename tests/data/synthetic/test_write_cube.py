from __future__ import annotations

import numpy as np
import pytest
import rasterio

from rsforge.data.synthetic.noise_textures import MATERIALS, pool_samples
from rsforge.data.synthetic.spectra import endmembers
from rsforge.data.synthetic.world import draw_strips
from rsforge.data.synthetic.write_cube import (
    GSD_M,
    NODATA,
    WAVELENGTH_NM,
    illumination,
    list_files,
    usable_bands,
    write,
)

SIZE = 32


@pytest.fixture(scope="module")
def cube(tmp_path_factory):
    root = tmp_path_factory.mktemp("cube")
    assert list(write(root, count=2, size=SIZE, seed=4)) == [1, 1]
    assert sorted(p.name for p in root.iterdir()) == sorted(list_files(2))
    return root


def values(root, number=0):
    with rasterio.open(root / f"cube_{number:03d}.img") as file:
        return file.read()


def header(root) -> dict[str, str]:
    text = (root / "cube_000.hdr").read_text()
    return dict(line.split(" = ", 1) for line in text.splitlines() if " = " in line)


def test_the_header_says_what_the_bytes_are(cube) -> None:
    told = header(cube)
    assert (told["samples"], told["lines"], told["bands"], told["interleave"]) == ("32", "32", "425", "bil")
    wavelength, fwhm, bbl = (np.array(told[k].strip("{}").split(","), float) for k in ("wavelength", "fwhm", "bbl"))
    np.testing.assert_allclose(wavelength, WAVELENGTH_NM, atol=0.006)
    assert wavelength[0] == 376.44 and wavelength[-1] == pytest.approx(2500.12) and (fwhm == 5.5).all()
    assert np.array_equal(bbl == 1, usable_bands()) and 340 < bbl.sum() < 400
    assert (cube / "cube_000.img").stat().st_size == 32 * 32 * 425 * 4
    with rasterio.open(cube / "cube_000.img") as file:
        assert file.crs.is_projected and file.res == (GSD_M, GSD_M) and file.nodata == NODATA


def test_pixels_mix_the_spectra_of_what_was_drawn(cube) -> None:
    (g,) = draw_strips(4, 0, SIZE)
    data, clear = values(cube), usable_bands()
    valid = data[0] != NODATA
    assert 0.8 < valid.mean() < 1 and ((data != NODATA) == valid).all()
    expected = np.einsum("mb,mij->bij", endmembers(WAVELENGTH_NM), pool_samples(g.shares)) * illumination(g)
    error = (data - expected)[clear][:, valid]
    assert np.abs(error).max() < 0.02 and error.std() == pytest.approx(0.002, rel=0.1)
    assert (data - expected)[~clear][:, valid].std() > 5 * error.std()
    assert data[:, valid].min() >= 0 and data[:, valid].max() <= 1


def test_plants_in_the_cube_are_plants_in_the_picture(cube) -> None:
    red, nir = (np.abs(WAVELENGTH_NM - nm).argmin() for nm in (670, 860))
    (g,) = draw_strips(4, 0, SIZE)
    data = values(cube)
    plants = pool_samples(g.shares)[[MATERIALS.index(m) for m in ("crop", "grass", "forest")]].sum(0)
    ndvi, valid = (data[nir] - data[red]) / (data[nir] + data[red]), data[0] != NODATA
    assert np.corrcoef(ndvi[valid], plants[valid])[0, 1] > 0.8
    green = data[np.abs(WAVELENGTH_NM - 560).argmin()]
    assert np.corrcoef(green[valid], g.pixels()[..., 1][valid])[0, 1] > 0.5


def test_each_cube_is_another_scene_and_the_same_again(cube, tmp_path) -> None:
    assert not np.array_equal(values(cube, 0), values(cube, 1))
    list(write(tmp_path, count=1, size=SIZE, seed=4))
    assert (tmp_path / "cube_000.img").read_bytes() == (cube / "cube_000.img").read_bytes()
