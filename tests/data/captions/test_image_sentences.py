"""JSON of images and sentences, in the forms in which data sets publish it."""

from __future__ import annotations

import json

import pytest

from rsforge.data.captions.image_sentences import looks_like_json, read_image_sentences
from rsforge.errors import RsforgeError
from tests.worlds.published_layouts import karpathy

IMAGES = {
    "karpathy": {"images": [{"filename": "a.png", "sentences": [{"raw": "x"}, {"raw": "y"}], "split": "test"}]},
    "nwpu": {"port": [{"filename": "a.png", "raw": "x", "raw_1": "y", "imgid": 3, "split": "test"}]},
    "coco": {
        "images": [{"id": 7, "file_name": "a.png", "split": "test"}],
        "annotations": [{"image_id": 7, "caption": "x"}, {"image_id": 7, "caption": "y"}],
    },
    "list": [{"image": "a.png", "caption": ["x", "y"], "split": "test"}],
}


@pytest.mark.parametrize("form", IMAGES)
def test_every_form_gives_the_same_captions(tmp_path, form):
    lines, sentence, sides = read_image_sentences(tmp_path / "d.json", json.dumps(IMAGES[form]))
    assert [(line.name, line.text, line.reason) for line in lines] == [("a.png", "x", ""), ("a.png", "y", "")]
    assert sides == {"a.png": "test"} and "1 images with 2 sentences" in sentence


def test_names_that_map_to_captions_and_folders_of_images(tmp_path):
    lines, _, _ = read_image_sentences(tmp_path / "d.json", json.dumps({"a.png": ["x"], "b.png": "y"}))
    assert [(line.name, line.text) for line in lines] == [("a.png", "x"), ("b.png", "y")]
    record = {"images": [{"filepath": "val2014", "filename": "a.png", "sentences": [{"raw": "x"}]}]}
    assert read_image_sentences(tmp_path / "d.json", json.dumps(record))[0][0].name == "val2014/a.png"


@pytest.mark.parametrize("sentences", [{"raw": "x \ud800"}, {"captions": ["x", "\ud800"]}])
def test_sentences_that_are_no_unicode_are_told(tmp_path, sentences):
    ((line,), _, _) = read_image_sentences(tmp_path / "d.json", json.dumps([{"filename": "a.png", **sentences}]))
    assert line.reason == "its caption is no Unicode text"


def test_images_without_sentences_say_so(tmp_path):
    record = {"images": [{"filename": "a.png", "sentences": []}, {"sentences": [{"raw": "x"}]}, {"filename": "b.png"}]}
    lines, _, _ = read_image_sentences(tmp_path / "d.json", json.dumps(record))
    assert [line.reason for line in lines if line.reason] == [
        "it has no caption",
        "it has no file name",
        "it has no caption",
    ]


def test_other_json_is_refused_with_the_form_that_is_read(tmp_path):
    for text, why in (('{"a": 1}', "not of images"), ('{"images": [', "damaged"), ("[]", "not of images")):
        with pytest.raises(RsforgeError, match=why) as caught:
            read_image_sentences(tmp_path / "d.json", text)
        assert caught.value.code == "RSF-D006"


def test_lines_of_json_that_name_no_images_are_none(tmp_path):
    path = karpathy(tmp_path / "d.json")
    assert looks_like_json(path.read_text()) and looks_like_json('{"images": [{"filename')
    assert looks_like_json('{"file_name": "a"}\n{"file_name": "b"}\n')
    assert not looks_like_json('{"a": 1}\n{"a": 2}\n') and not looks_like_json("a.jpg\tx")
