from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from rsforge.data.scenes.inputs import InputImage, find_inputs
from rsforge.errors import RsforgeError
from tests.worlds import band_files
from tests.worlds.pairs import save, write_pairs


def picture(path: Path) -> Path:
    return save(path, np.zeros((4, 4), np.uint8))


def names(*places: Path, **more) -> list[str]:
    return [source.name for source in find_inputs(places, modality="sar", **more).images]


def refused(*places: Path) -> RsforgeError:
    with pytest.raises(RsforgeError) as caught:
        find_inputs(places, modality="sar")
    return caught.value


def test_a_folder_is_searched_at_any_depth_and_sorted_and_the_output_is_left_alone(tmp_path):
    for name in ("b/x.png", "a.PNG", "b/c/y.tif", "out/z.png", "notes.txt"):
        picture(tmp_path / name) if not name.endswith("txt") else (tmp_path / name).write_text("x")
    assert names(tmp_path, exclude=tmp_path / "out") == ["a.PNG", "b/c/y.tif", "b/x.png"]
    assert names(tmp_path / "b" / "x.png", tmp_path / "b") == ["x.png", "c/y.tif"]


def test_a_list_names_images_below_it_or_anywhere(tmp_path):
    picture(tmp_path / "data" / "in" / "a.png")
    far = picture(tmp_path / "far" / "b.png")
    text = f"\ufeff# two images\r\n\r\n  in/a.png  \n{far}\n../far/b.png\nin/none.png\n{tmp_path}\n"
    (tmp_path / "data" / "list.TXT").write_text(text, "utf-8")
    found = find_inputs([tmp_path / "data" / "list.TXT"], modality="sar")
    assert [source.name for source in found.images] == ["in/a.png", "b.png"]
    assert found.images[1] == InputImage(tmp_path / "data" / "../far/b.png", "b.png")
    (first, why), (second, other) = found.missing
    assert first.endswith("list.TXT:6") and "in/none.png" in why and "no such file" in why
    assert second.endswith(":7") and "no file" in other


def test_lists_that_say_nothing_are_refused(tmp_path):
    (tmp_path / "empty.txt").write_text("# nothing\n\n")
    assert refused(tmp_path / "empty.txt").code == "RSF-D001"
    (tmp_path / "binary.txt").write_bytes(b"\xff\xfe\x00a")
    assert refused(tmp_path / "binary.txt").code == "RSF-D006"


def test_places_without_images_are_refused(tmp_path):
    (tmp_path / "empty").mkdir()
    for place in (tmp_path / "empty", tmp_path / "none.png"):
        assert refused(place).code == "RSF-D001"


def test_of_pairs_only_the_wanted_modality_is_taken(tmp_path):
    write_pairs(tmp_path, ("agri", "urban"), count=2, size=16)
    (tmp_path / "lone" / "s1").mkdir(parents=True)
    for modality, folder in (("sar", "s1"), ("optical", "s2")):
        found = find_inputs([tmp_path], modality=modality)
        assert [source.name.rsplit("/", 1)[0] for source in found.images] == [f"agri/{folder}"] * 2 + [
            f"urban/{folder}"
        ] * 2
        assert "laid out as terrain" in found.notes[0] and any("lone/s1" in note for note in found.notes)
    assert names(tmp_path / "agri" / "s2") == ["ROIs1970_fall_s2_0_p0.png", "ROIs1970_fall_s2_0_p1.png"]
    for path in (tmp_path / "agri").rglob("*.png"):
        path.unlink()
    for path in (tmp_path / "urban" / "s1").iterdir():
        path.unlink()
    assert "on the side sar" in refused(tmp_path).what


def test_sets_of_bands_are_images_with_the_names_that_their_files_share(tmp_path):
    for stem in ("a", "b"):
        band_files.radar(tmp_path / "x", stem=stem)
    (tmp_path / "list.txt").write_text("x/a_{VV,VH}.tif\nx/a_{VV,HH}.tif\n")
    assert names(tmp_path) == ["x/a.tif", "x/b.tif"] and names(tmp_path / "x" / "b_{VV,VH}.tif") == ["b.tif"]
    found = find_inputs([tmp_path / "list.txt"], modality="sar")
    assert [image.name for image in found.images] == ["x/a.tif"] and "no such file" in found.missing[0][1]
