from __future__ import annotations

import pytest

from rsforge.errors import RsforgeError
from rsforge.recipes.inference.skipped_images import SkippedImages
from tests.worlds.consoles import RecordingConsole


def test_an_image_that_cannot_be_used_is_left_out_and_named_where_that_is_wanted():
    console = RecordingConsole()
    skipped = SkippedImages(console, "skip")
    with skipped.skip_unusable("a.png"):
        raise RsforgeError("RSF-D002", "it is torn", found="half of it")
    assert skipped.images == [{"name": "a.png", "reason": "it is torn: half of it"}]
    assert console.has_line("left out a.png: it is torn: half of it")
    with pytest.raises(RsforgeError, match="it is torn"), SkippedImages(console, "error").skip_unusable("a.png"):
        raise RsforgeError("RSF-D002", "it is torn")


def test_what_is_no_fault_of_an_image_stops_everything():
    with pytest.raises(RsforgeError, match="full"), SkippedImages(RecordingConsole(), "skip").skip_unusable("a.png"):
        raise RsforgeError("RSF-E001", "the disk is full")


def test_none_left_is_an_error_and_images_without_data_are_told():
    console = RecordingConsole()
    skipped = SkippedImages(console, "skip")
    skipped.check_any([1])
    with pytest.raises(RsforgeError) as caught:
        skipped.check_any([])
    assert caught.value.code == "RSF-D001"
    skipped.note_empty("b.tif")
    assert skipped.empty == ["b.tif"] and console.has_line("b.tif has no valid pixel")
