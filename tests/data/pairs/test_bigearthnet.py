"""Patches of BigEarthNet pair by what their metadata say."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.parquet as pq

from rsforge.data.pairs.index import find_pairs
from rsforge.data.pairs.reading import find_radiometry, open_pair
from rsforge.data.splits.contents import find_contents
from rsforge.data.views.view import PairViews, View
from tests.worlds import band_files
from tests.worlds.pair_folders import find_refused, touch


def test_patches_are_paired_by_the_file_of_each(tmp_path):
    index = find_pairs(band_files.bigearthnet(tmp_path))
    assert index.layout == "bigearthnet" and index.problems == index.orphans == []
    assert [pair.name for pair in index.pairs] == [f"S2A_MSIL2A_20170613T101031_{n}_4" for n in range(2)]
    assert {pair.scene for pair in index.pairs} == {"S2A_MSIL2A_20170613T101031"}
    index.pairs = [pair.__class__(**{**vars(pair), "views": PairViews(View(("vv", "vh")), View(span=(0, 500)))})
                   for pair in index.pairs]  # fmt: skip
    sar, optical, _ = open_pair(index.pairs[0], find_radiometry(index)[0])
    assert sar.shape == (16, 16, 2) and optical.shape == (16, 16, 3)


def test_patches_are_paired_by_the_table_of_all(tmp_path):
    sar, optical = "S1A_IW_GRDH_1SDV_2017_33UUP_0_4", "S2A_MSIL2A_20170613T101031_N9999_R022_T33UUP_0_4"
    band_files.radar(tmp_path / "BigEarthNet-S1" / sar[:-4] / sar, stem=sar)
    band_files.optical(tmp_path / "BigEarthNet-S2" / optical[:-4] / optical, stem=optical)
    assert "no metadata name its partner" in find_refused("RSF-D009", tmp_path).found
    table = {"patch_id": [optical], "s1_name": [sar], "split": ["validation"], "country": ["Austria"]}
    pq.write_table(pa.table(table), tmp_path / "metadata.parquet")
    index = find_pairs(tmp_path)
    assert [(pair.name, pair.scene, pair.country) for pair in index.pairs] == [(optical, optical[:-4], "Austria")]
    contents = find_contents(tmp_path)
    assert contents.kind == "pairs" and [item.side for item in contents.items] == ["val"]


def test_patches_without_a_partner_are_named(tmp_path):
    band_files.bigearthnet(tmp_path)
    band_files.radar(tmp_path / "BigEarthNet-S1" / "S1A_x_9_9", stem="S1A_x_9_9")
    for file in (tmp_path / "BigEarthNet-S2" / "S2A_MSIL2A_20170613T101031_1_4").iterdir():
        file.unlink()
    (tmp_path / "metadata.parquet").write_bytes(b"no table")
    index = find_pairs(tmp_path)
    problems = dict(index.problems)
    assert problems["BigEarthNet-S1/S1A_x_9_9"] == "no metadata name its partner"
    assert "cannot be read" in problems["metadata.parquet"] and len(index.pairs) == 1
    assert [reason for _, reason in index.orphans] == ["it holds 0 images, not the bands of one"]


def test_folders_of_one_side_alone_are_no_pairs(tmp_path):
    touch(tmp_path, "S1/S1A_x_1_1/S1A_x_1_1_VV.tif", "S1/S1A_x_1_1/S1A_x_1_1_VH.tif")
    find_refused("RSF-D009", tmp_path, layout="bigearthnet")


def test_a_set_beside_others_is_one_of_several(tmp_path):
    band_files.bigearthnet(tmp_path / "bigearthnet")
    touch(tmp_path, "terrains/grass/s1/a_s1_p1.png", "terrains/grass/s2/a_s2_p1.png")
    contents = find_contents(tmp_path)
    assert [folder.name for folder in contents.sets] == ["bigearthnet", "terrains"]
    assert len(contents.items) == 3 and not contents.unclaimed_files
