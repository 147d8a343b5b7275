"""Captioned images: which captions an image has, and which rows are refused."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest
import torch

from rsforge.data.captions.metadata import read_metadata
from rsforge.data.images.tile_dataset import scan
from rsforge.errors import RsforgeError
from rsforge.recipes.text_to_image.captioned_images import CaptionedSamples, load_captioned, match_captions
from rsforge.settings.base import RunSettings
from rsforge.settings.finetune import CaptionedImageSettings
from tests.worlds.captioned_folder import write_captioned_folder
from tests.worlds.commands import rsforge
from tests.worlds.consoles import RecordingConsole


def load(folder, console=None, on_bad="error", **options):
    data = CaptionedImageSettings(data_dir=str(folder), image_size=16, **options)
    run = RunSettings(output_dir=folder / "run", on_bad=on_bad)
    return load_captioned(data, run, console or RecordingConsole())


def append(folder, *records):
    with (folder / "metadata.jsonl").open("a") as file:
        file.writelines(json.dumps(record) + "\n" for record in records)


@pytest.mark.parametrize("parent", [True, False])
def test_images_and_captions_meet_wherever_the_table_lies(tmp_path, parent):
    folder, console = write_captioned_folder(tmp_path / "data" / "images", parent=parent), RecordingConsole()
    data = load(folder, console)
    assert (data.identity["train"], data.identity["held_out"]) == (9, 1) and len(data.images.train) == 9
    assert console.has_line("10 images with 20 captions, 5 with several, one of which is drawn in each epoch")
    by_name = {}
    for samples, numbers in zip((data.images.train, data.images.held_out), data.numbers[:2], strict=True):
        by_name |= {samples.name(k): [data.texts[n] for n in own] for k, own in enumerate(numbers)}
    lines = (folder.parent if parent else folder) / "metadata.jsonl"
    written = {row["file_name"]: row["text"] for row in map(json.loads, lines.read_text().splitlines())}
    assert by_name == {name: [text] if isinstance(text, str) else text for name, text in written.items()}
    assert written["image_000003.png"] == ["a river 0", "a river 1", "a river 2"]
    assert set(data.trained_texts) == {data.texts[n] for own in data.numbers[0] for n in own}


def test_several_rows_and_copies_of_an_image_stay_on_one_side(tmp_path):
    folder = write_captioned_folder(tmp_path / "images")
    shutil.copy(folder / "image_000000.png", folder / "zz copy.png")
    append(folder, {"file_name": "zz copy.png", "text": "a copy"}, {"file_name": "image_000000.png", "text": "again"})
    index = scan(folder)
    table = folder / "metadata.jsonl"
    captions = match_captions(index, table, read_metadata(table), "error", RecordingConsole())
    assert captions["image_000000.png"] == ["a river and trees", "a copy", "again"] and "zz copy.png" not in captions


def test_a_caption_is_drawn_by_seed_epoch_and_index_alone():
    class Images:
        def __len__(self):
            return 2

        def name(self, index):
            return str(index)

        def __getitem__(self, key):
            return {"images": torch.zeros(1)}

    rows = np.arange(5)[:, None]
    samples = CaptionedSamples(Images(), [[0, 1, 2, 3], [4]], rows, seed=1)
    drawn = [int(samples[epoch, 0]["text"]) for epoch in range(40)]
    assert set(drawn) == {0, 1, 2, 3} and {int(samples[epoch, 1]["text"]) for epoch in range(5)} == {4}
    again = CaptionedSamples(Images(), [[0, 1, 2, 3], [4]], rows, seed=1)
    assert drawn == [int(again[epoch, 0]["text"]) for epoch in range(40)]
    other = CaptionedSamples(Images(), [[0, 1, 2, 3], [4]], rows, seed=2)
    assert drawn != [int(other[epoch, 0]["text"]) for epoch in range(40)]
    told = CaptionedSamples(Images(), [[0, 1, 2, 3], [4]], rows, seed=1, tokens=10 * rows)
    assert all(told[epoch, 0]["tokens"] == 10 * told[epoch, 0]["text"] for epoch in range(5))
    assert [int(told[epoch, 0]["text"]) for epoch in range(40)] == drawn and "tokens" not in samples[0, 0]
    with pytest.raises(ValueError, match="2 images and the captions of 1"):
        CaptionedSamples(Images(), [[0]], rows, seed=1)


def test_images_without_captions_are_left_out_and_counted(tmp_path):
    folder, console = write_captioned_folder(tmp_path / "images"), RecordingConsole()
    lines = (folder / "metadata.jsonl").read_text().splitlines()
    (folder / "metadata.jsonl").write_text("\n".join(lines[:7]))
    assert load(folder, console).identity["train"] == 6
    assert console.has_line("3 without a caption left out")


@pytest.mark.parametrize(("record", "reason"), [
    ({"file_name": "gone.png", "text": "x"}, "gone.png is no PNG, JPEG, BMP, TIFF, WebP or JPEG 2000 image below"),
    ({"file_name": "image_000001.png", "text": "  "}, "it has no caption"),
    ({"file_name": 3, "text": "x"}, "it is no JSON object with a file_name"),
])  # fmt: skip
def test_rows_that_cannot_be_used_are_named_or_left_out(tmp_path, record, reason):
    folder, console = write_captioned_folder(tmp_path / "images"), RecordingConsole()
    append(folder, record)
    with pytest.raises(RsforgeError) as raised:
        load(folder)
    assert raised.value.code == "RSF-D007" and f"metadata.jsonl:11: {reason}" in raised.value.found
    assert load(folder, console, on_bad="skip").identity["train"] == 9 and console.has_line(reason)


def test_names_that_leave_the_folder_are_refused(tmp_path):
    folder = write_captioned_folder(tmp_path / "images")
    append(folder, {"file_name": "../../secret.png", "text": "x"})
    with pytest.raises(RsforgeError) as raised:
        load(folder, on_bad="skip")
    assert raised.value.code == "RSF-D005"


def test_the_folder_of_the_images_is_named_where_the_one_above_is_given(tmp_path):
    folder = write_captioned_folder(tmp_path / "data" / "rsicd_images", parent=True)
    with pytest.raises(RsforgeError) as raised:
        load(tmp_path / "data")
    assert raised.value.code == "RSF-D007" and str(folder) in raised.value.fix
    with pytest.raises(RsforgeError) as raised:
        load(tmp_path / "nowhere")
    assert raised.value.code == "RSF-D001"


def test_a_stored_split_is_followed(tmp_path):
    folder, console = write_captioned_folder(tmp_path / "images"), RecordingConsole()
    assert rsforge("data split --data-dir {} --by patch --val 0.3 --allow-leak --quiet", folder) == 0
    data = load(folder, console)
    assert data.identity["held_out"] == 3 and console.has_line("7 train, 3 val")


def test_unreadable_images_are_named_or_left_out_with_their_captions(tmp_path):
    folder, console = write_captioned_folder(tmp_path / "images"), RecordingConsole()
    (folder / "image_000004.png").write_bytes(b"no image")
    with pytest.raises(RsforgeError) as raised:
        load(folder)
    assert raised.value.code == "RSF-D002" and "image_000004.png" in raised.value.found
    data = load(folder, console, on_bad="skip")
    assert data.identity["train"] + data.identity["held_out"] == 9 and console.has_line("left out image_000004.png")


def test_images_that_are_enlarged_are_counted(tmp_path):
    folder, console = write_captioned_folder(tmp_path / "images"), RecordingConsole()
    data = CaptionedImageSettings(data_dir=str(folder), image_size=32)
    load_captioned(data, RunSettings(output_dir=folder / "run"), console)
    assert console.warned == ["10 images smaller than --image-size 32: enlarged"]
