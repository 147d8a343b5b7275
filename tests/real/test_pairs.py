"""Real pairs of every layout that is here, and real scenes cut into such pairs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import rasterio

from rsforge.cli.main import run
from rsforge.data.files.stack_paths import find_members
from rsforge.data.io.rasters import read_info, read_raster
from rsforge.data.pairs.index import find_pairs
from rsforge.data.pairs.reading import find_radiometry, open_pair
from rsforge.errors import RsforgeError


@pytest.mark.parametrize(
    ("name", "layout", "count", "scenes", "unit"),
    [
        ("sen12_gray_terrain", "terrain", 91, {""}, "uint8"),
        ("sen12_rgb_png", "terrain", 15, {"ROIs1158_spring_90"}, "uint8"),
        ("sih1733_rgb_patches", "terrain", 16, {"scene1", "scene2"}, "uint8"),
        ("terramind_geotiff", "names", 3, {""}, "db"),
    ],
)
def test_real_sets_pair_without_orphans(real_data, name, layout, count, scenes, unit):
    index = find_pairs(real_data / "sar_optical" / name)
    assert (index.layout, len(index.pairs), {p.scene for p in index.pairs}) == (layout, count, scenes)
    assert index.orphans == [] and index.problems == []
    radiometry, _ = find_radiometry(index)
    assert radiometry.unit == unit
    grey = name == "sen12_gray_terrain"
    for pair in index.pairs[::5]:
        sar, optical, _ = open_pair(pair, radiometry, allow_gray_optical=grey)
        assert sar.shape[:2] == optical.shape[:2] and optical.shape[2] == 3 and np.ptp(optical) > 0
    if grey:
        with pytest.raises(RsforgeError, match="1 band"):
            open_pair(index.pairs[0], radiometry)


def test_patches_of_bigearthnet_are_the_bands_of_their_files(real_data):
    index = find_pairs(real_data / "sar_optical" / "bigearthnet_pairs")
    assert (index.layout, len(index.pairs)) == ("bigearthnet", 6) and index.orphans == index.problems == []
    for pair in index.pairs:
        sar, optical = read_raster(pair.sar), read_raster(pair.optical)
        assert [meaning.role for meaning in sar.info.meanings] == ["vv", "vh"]
        assert [meaning.name for meaning in optical.info.meanings] == ["B02", "B03", "B04", "B08"]
        for image in (sar, optical):
            for k, meaning in enumerate(image.info.meanings):
                file = next(one for one in find_members(image.info.path) if one.stem.endswith(meaning.name))
                with rasterio.open(file) as source:
                    assert np.array_equal(image.values[..., k], source.read(1)) and source.crs is not None


def test_real_scenes_are_cut(real_data, tmp_path):
    """The optical patches that their source published are those cut here."""
    scenes = str(real_data / "sar_optical/sih1733_scenes")
    line = ["data", "tile", "--sar", scenes, "--optical", scenes, "--output-dir", str(tmp_path), "--stride", "768"]
    assert run(line) == 0
    cut = {pair.name: pair for pair in find_pairs(tmp_path).pairs}
    whole = read_info(Path(scenes) / "scene1/s1.jpg")
    assert len(cut) == 2 * ((whole.height - 256) // 768 + 1) * ((whole.width - 256) // 768 + 1)
    published = real_data / "sar_optical/sih1733_rgb_patches/scene1/s2/1_r0000_c0000_orig.png"
    ours = read_raster(cut["scene1/scene1_r00000_c00000"].optical).values
    assert np.abs(ours.astype(int) - read_raster(published).values).mean() < 4


def test_real_geotiffs_are_cut_with_their_place(real_data, tmp_path):
    folder = real_data / "sar_optical/terramind_geotiff"
    line = ["data", "tile", "--sar", str(folder / "S1RTC"), "--optical", str(folder / "S2RGB"), "--size", "112"]
    assert run([*line, "--output-dir", str(tmp_path)]) == 0
    index = find_pairs(tmp_path)
    assert len(index.pairs) == 12 and index.problems == []
    for pair in index.pairs:
        source = read_info(folder / "S1RTC" / f"{pair.scene}.tif")
        assert pair.window is not None and source.grid is not None
        assert read_info(pair.sar).grid == source.grid.window(pair.window)
