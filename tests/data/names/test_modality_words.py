"""Words for SAR and optical images in names."""

from __future__ import annotations

import pytest

from rsforge.data.names.modality_words import (
    OPTICAL,
    SAR,
    key_of_folder,
    letter_of_folder,
    modality_of_folder,
    strip_folder,
    strip_word,
)


@pytest.mark.parametrize(
    ("name", "modality", "key"),
    [("s1", SAR, ""), ("s2_30", OPTICAL, "30"), ("S1_7", SAR, "7"), ("SAR-Intensity", SAR, "Intensity"),
     ("PS-RGB", OPTICAL, ""), ("sar_images", SAR, "images"), ("rgb_images", OPTICAL, "images"), ("opt", OPTICAL, ""),
     ("ROIs1158_spring_s1", SAR, "ROIs1158_spring"), ("Sentinel-2", OPTICAL, ""), ("labels", None, "labels"),
     ("saratoga", None, "saratoga"), ("sar_rgb", None, "sar_rgb"),
     ("{VV,VH}", SAR, ""), ("s1_{vv,vh}", SAR, ""), ("s1_30_{vv,vh}", SAR, "30"), ("{vv,vh}_tiles", SAR, "tiles")],
)  # fmt: skip
def test_folders_tell_their_modality_by_whole_words(name, modality, key):
    assert modality_of_folder(name) == modality and key_of_folder(name) == key


@pytest.mark.parametrize(
    ("stem", "modality", "rest"),
    [("sar12", SAR, "12"), ("opt12", OPTICAL, "12"), ("a_SAR_b", SAR, "a_b"), ("x-rgb", OPTICAL, "x"),
     ("a_VV", SAR, "a"), ("desert", SAR, None), ("optics1", OPTICAL, None), ("s1", SAR, "")],
)  # fmt: skip
def test_words_are_taken_out_of_names(stem, modality, rest):
    assert strip_word(stem, modality) == rest


def test_names_of_folders_and_letters():
    assert strip_folder("AOI_PS-RGB_tile_3", "PS-RGB") == "AOI_tile_3" and strip_folder("a_b", "c") is None
    assert letter_of_folder("trainA") == ("train", "A") and letter_of_folder("B") == ("", "B")
    assert letter_of_folder("DATA") is None and letter_of_folder("trainC") is None
