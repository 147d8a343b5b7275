"""What lies beside files of one band each and belongs to them."""

from pathlib import Path

from rsforge.data.files.band_names import read_band_name
from rsforge.data.files.beside_bands import find_beside


def test_what_is_named_as_the_product_belongs_to_it_and_the_other_side_does_not():
    names = ["P_VV.tif", "P_VH.tif", "P_inc_map.tif", "P.png", "P_optical.tif", "Q.tif"]
    paths = [Path("a") / name for name in names]
    read = {path: found for path in paths if (found := read_band_name(path))}
    own = list(read.values())
    beside = find_beside(paths, read, {own[0].key: own})
    assert beside == {Path("a/P_inc_map.tif"): Path("a"), Path("a/P.png"): Path("a")}
