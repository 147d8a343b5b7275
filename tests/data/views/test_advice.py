"""Advice on bands that are not told names what works: each is followed."""

from __future__ import annotations

import re

import numpy as np
import pytest

from rsforge.data.io.rasters import open_raster
from rsforge.data.views.advice import MEND_SET, NAME_BANDS, NAME_SAR_BANDS, advise_backscatter, advise_colours
from rsforge.data.views.view import PLAIN, BandsError, View, read_view
from tests.worlds import band_files
from tests.worlds.awkward_images import decibels, geotiff


def bands_of(fix):
    """What stands behind the options for bands in a remedy."""
    return [tuple(found.split(",")) for found in re.findall(r"--(?:sar-)?bands ([\w,]*\w)", fix)]


@pytest.mark.parametrize("names", [("VV", "VH"), ("HH", "HV"), ("VV", "VH", "HH", "HV")])
def test_images_of_sar_alone_are_shown_as_the_advice_says(tmp_path, names):
    path = geotiff(tmp_path / "a.tif", np.dstack([decibels(k) for k in range(len(names))]), names=names)
    with pytest.raises(BandsError) as refused:
        read_view(path, PLAIN, "optical")
    ways = bands_of(refused.value.fix)
    assert [read_view(path, View(bands=way), "optical").values.shape[-1] for way in ways] == [1, 3]


def test_other_polarisations_are_read_by_number_as_the_advice_says(tmp_path):
    for kind in ("files", "sets"):
        path = tmp_path / "a_{HH,HV}.tif"
        if kind == "files":
            path = geotiff(tmp_path / "a.tif", np.dstack([decibels(0), decibels(1)]), names=("HH", "HV"))
        else:
            band_files.radar(tmp_path, stem="a", bands=("HH", "HV"))
        with pytest.raises(BandsError) as refused:
            read_view(path, View(bands=("vv", "vh")), "sar")
        assert "--on-bad skip" in refused.value.fix
        (way,) = bands_of(refused.value.fix)
        assert read_view(path, View(bands=way), "sar").values.shape[-1] == 2


def test_what_lacks_a_band_gets_other_advice(tmp_path):
    band_files.radar(tmp_path, stem="a", bands=("VV",))
    band_files.radar(tmp_path, stem="b")
    with open_raster(tmp_path / "a_VV.tif") as one, open_raster(tmp_path / "b_{VV,VH}.tif") as both:
        assert advise_backscatter(one.info, ("vv", "vh")) == NAME_SAR_BANDS
        assert advise_backscatter(both.info, ("vv", "hh")) == MEND_SET.replace("--bands", "--sar-bands")
        assert advise_colours(geo_info(tmp_path)) == NAME_BANDS


def geo_info(folder):
    with open_raster(geotiff(folder / "plain.tif", np.dstack([decibels(0)] * 5))) as raster:
        return raster.info
