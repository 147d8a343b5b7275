"""The remedy of a file that cannot be used as patches: cutting a cube is one only where the arrays are missing."""

from __future__ import annotations

import h5py
import numpy as np
import pytest

from rsforge.data.spectra.patch_files import open_patch_file
from rsforge.data.splits.single_items import read_places
from rsforge.errors import RsforgeError


def write(path, **arrays):
    with h5py.File(path, "w") as file:
        for name, values in arrays.items():
            file[name] = values
    return path


@pytest.mark.parametrize("read", [read_places, lambda path: open_patch_file(path, path.name)])
def test_a_file_without_the_arrays_may_be_a_cube_and_a_damaged_one_is_none(tmp_path, read):
    cube = write(tmp_path / "cube.h5", reflectance=np.zeros((4, 4, 9)))
    flat = write(tmp_path / "flat.h5", landsat=np.zeros((2, 4, 4, 7)), aviris=np.zeros((2, 4)), scene=[b"a"])
    cut = write(tmp_path / "cut.h5", landsat=np.zeros((2, 4, 4, 7)))
    cut.write_bytes(cut.read_bytes()[:600])
    fixes = []
    for path in (cube, flat, cut):
        with pytest.raises(RsforgeError) as caught:
            read(path)
        assert caught.value.code == "RSF-D008" and "cannot be used as patches" in caught.value.what
        fixes.append(caught.value.fix)
    assert ["hsi-patches" in fix for fix in fixes] == [True, False, False]
