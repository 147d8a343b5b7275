"""What is said of how the bands of files are read."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from rsforge.data.io.rasters import open_raster
from rsforge.data.views.band_notes import describe_order, warn_of_mixed_roles
from rsforge.data.views.view import View
from tests.worlds.awkward_images import decibels, geotiff


@pytest.fixture
def infos(tmp_path):
    """Headers of two files of VV and VH, and one of HH and HV."""
    found = []
    for k, names in enumerate((("VV", "VH"), ("VV", "VH"), ("HH", "HV"))):
        with open_raster(geotiff(tmp_path / f"{k}.tif", np.dstack([decibels(k)] * 2), names=names)) as raster:
            found.append(raster.info)
    return found


def test_numbers_that_are_other_bands_in_other_files_are_warned_of(infos):
    warnings = warn_of_mixed_roles(View(bands=("1", "2")), infos, "sar")
    assert warnings == ["bands 1, 2 are VV, VH in 2 and HH, HV in 1 of 3 sampled files: they are taken for the same"]
    more = [replace(info, meanings=info.meanings[::-1]) for info in infos[:1]]
    assert "choose them by name" in warn_of_mixed_roles(View(bands=("1", "2")), [*infos[:2], *more], "sar")[0]
    assert warn_of_mixed_roles(View(bands=("1",)), infos[:2], "sar") == []
    assert warn_of_mixed_roles(View(bands=("vv", "vh")), infos, "sar") == []


def test_only_another_order_than_the_stored_one_is_said(infos):
    assert describe_order(View(bands=("vv", "vh")), infos[:2], "sar") == []
    notes = describe_order(View(bands=("vh", "vv")), infos, "sar")
    assert notes == ["VH, VV are the bands 2,1 in 2 of 3 sampled files"]
