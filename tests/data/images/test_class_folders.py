from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from rsforge.data.images.class_folders import (
    GENERIC,
    article,
    make_caption,
    name_classes,
    read_class_names,
    scan_classes,
)
from rsforge.errors import RsforgeError


def test_an():
    for noun in (
        "MRI",
        "X-ray",
        "FM tower",
        "SUV",
        "NGO",
        "NDVI map",
        "UFO",
        "ukulele",
        "Uighur",
        "SAR image",
        "FLOWER",
    ):
        assert (article(noun) == "a") == (noun[0] in "uU" or noun[:2] in ("SA", "FL")), noun
    for noun in ("animal", "airport", "hour", "hourglass", "honest", "heir", "umbrella", "urban", "island", "8-lane"):
        assert article(noun) == "an", noun


def test_a():
    for noun in ("royalguard", "uniform", "university", "European", "ewe", "one-way", "usual", "uranium", "house"):
        assert article(noun) == "a", noun


def test_captions_keep_an_article_that_is_there():
    assert make_caption("animal") == "a photo of an animal"
    assert make_caption("the sea") == "a photo of the sea"
    assert make_caption("thesaurus") == "a photo of a thesaurus"


def test_images_are_known_by_name_in_either_case_and_nothing_is_dropped(tmp_path: Path):
    (tmp_path / "more").mkdir()
    for k, name in enumerate(["0002_0001.png", "0001_0002.PNG", "1_3.jpeg", "more/0002_0001.PNG", "holiday.png"]):
        Image.fromarray(np.full((4, 5, 3), k, np.uint8)).save(tmp_path / name)
    (tmp_path / "0001_0009.png").write_bytes(b"no picture")
    (tmp_path / "0001_0010.gif").write_bytes(b"x")
    (tmp_path / "notes.txt").write_bytes(b"x")
    index = scan_classes(tmp_path)
    assert [image.path.name for image in index.images] == ["0001_0002.PNG", "0002_0001.png", "1_3.jpeg"]
    assert index.numbers == [1, 2]
    reasons = dict(index.bad)
    assert set(reasons) == {"0001_0009.png", "0001_0010.gif", "holiday.png", "more/0002_0001.PNG"}
    assert "0002_0001.png has the same name" in reasons["more/0002_0001.PNG"]
    assert "CLASS_NUMBER" in reasons["holiday.png"] and "intact" in reasons["0001_0009.png"]


def test_the_list_of_classes(tmp_path: Path):
    path = tmp_path / "classes.txt"
    path.write_bytes(b"\xef\xbb\xbf1 royalguard\r\n\n# a note\n0002\tred beach\n3: hill\n")
    assert read_class_names(path) == {1: "royalguard", 2: "red beach", 3: "hill"}
    for text, told in (("1 a\ntwo b\n", "line 2"), ("1 a\n1 b\n", "second time"), ("1\n", "line 1")):
        path.write_text(text)
        with pytest.raises(RsforgeError) as caught:
            read_class_names(path)
        assert caught.value.code == "RSF-D006" and told in caught.value.found
    path.write_bytes(b"1 \xff\n")
    with pytest.raises(RsforgeError) as caught:
        read_class_names(path)
    assert "not UTF-8" in caught.value.found


def test_a_list_of_classes_on_one_line(tmp_path: Path):
    path = tmp_path / "classes.txt"
    path.write_text("1 royalguard\n2 beach 3 mountain, 4 route 66 south 5 animal\n8 boeing 747 jet\n")
    assert read_class_names(path) == {
        1: "royalguard", 2: "beach", 3: "mountain", 4: "route 66 south", 5: "animal", 8: "boeing 747 jet"
    }  # fmt: skip


def test_a_pipe_is_not_read(tmp_path: Path):
    os.mkfifo(tmp_path / "classes.txt")
    with pytest.raises(RsforgeError) as caught:
        read_class_names(tmp_path / "classes.txt")
    assert caught.value.code == "RSF-D006"


def test_classes_without_a_name_get_a_generic_one():
    assert name_classes([1, 9], {}) == ({1: GENERIC[0], 9: GENERIC[0]}, [1, 9])
    names, missing = name_classes([1, 2], {1: "royalguard"})
    assert names == {1: "royalguard", 2: "thing of class 2"} and missing == [2]
