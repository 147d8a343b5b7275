from __future__ import annotations

from rsforge.data.files.mask_paths import find_mask


def test_the_mask_of_a_raster_lies_beside_it_under_its_whole_name(tmp_path):
    (tmp_path / "a.msk").touch()
    (tmp_path / "b.png.msk").mkdir()
    assert find_mask(tmp_path / "a.png") is None and find_mask(tmp_path / "b.png") is None
    (tmp_path / "a.png.msk").touch()
    assert find_mask(tmp_path / "a.png") == tmp_path / "a.png.msk"
