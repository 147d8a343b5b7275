"""Which captioned images are measured, which others there are, and the classes that their names tell."""

from __future__ import annotations

import json
import shutil

import pytest
from PIL import Image

from rsforge.data.images.tile_dataset import scan
from rsforge.engine import checkpoint
from rsforge.errors import RsforgeError
from rsforge.recipes.text_evaluation.captioned_subset import limit_tiles, name_class, open_captioned
from rsforge.settings.text_evaluate import CaptionedDataSettings, TextEvaluateSettings, TextMeasuringSettings
from tests.worlds.consoles import RecordingConsole


def settings(images, pipeline="sd", *, side="auto", output_dir=None, **data) -> TextEvaluateSettings:
    return TextEvaluateSettings(
        pipeline=pipeline,
        data=CaptionedDataSettings(data_dir=str(images), **data),
        evaluation=TextMeasuringSettings(side=side, output_dir=output_dir),
    )


def names(part) -> set[str]:
    return {tile.name for tile in part.samples.tiles}


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("airport_12.jpg", "airport"),
        ("rsicd_images/Airport_1.jpg", "airport"),
        ("baseball field-003.png", "baseball field"),
        ("storagetanks7.tif", "storagetanks"),
        ("beach/12.jpg", "beach"),
        ("00612.jpg", ""),
        ("view.png", ""),
    ],
)
def test_the_class_of_an_image_is_in_its_name_or_its_folder(name, expected):
    assert name_class(name) == expected


def test_the_test_subset_is_measured_and_the_train_subset_is_the_other(world):
    found = open_captioned(settings(world.images), {}, 16, RecordingConsole())
    assert (found.chosen.subset, len(found.measured), len(found.others), found.chosen.own) == ("test", 5, 8, False)
    assert not names(found.measured) & names(found.others)
    assert set(found.measured.classes) == {"river", "airport"} and found.measured.samples[0, 0].shape == (3, 16, 16)
    train = open_captioned(settings(world.images, side="train"), {}, 16, RecordingConsole())
    assert names(train.measured) == names(found.others)
    assert len(train.others) == 8 and not names(train.measured) & names(train.others)
    assert len(open_captioned(settings(world.images, side="all"), {}, 16, RecordingConsole()).others) == 0


def test_a_checkpoint_knows_what_it_held_out_though_images_without_captions_came(text_world, tmp_path):
    state = checkpoint.load_metadata(text_world.run / "best_model.pt")
    shutil.copytree(text_world.images.parent, tmp_path / "data")
    images = tmp_path / "data" / "images"
    Image.new("RGB", (20, 20)).save(images / "without.png")
    found = open_captioned(settings(images, text_world.run / "best_model.pt"), state, 16, RecordingConsole())
    assert (found.chosen.subset, found.chosen.trained, len(found.measured), len(found.others)) == ("val", 0, 1, 9)


def test_fewer_images_are_chosen_by_seed_and_contents_in_their_order(world):
    tiles = scan(world.images).tiles
    some = limit_tiles(tiles, 4, 1)
    assert len(some) == 4 and [t for t in tiles if t in some] == some
    assert limit_tiles(list(reversed(tiles)), 4, 1) == list(reversed(some))
    assert limit_tiles(tiles, 4, 2) != some and limit_tiles(tiles, None, 1) == tiles
    found = open_captioned(settings(world.images, max_images=3), {}, 16, RecordingConsole())
    assert (len(found.measured), found.left_out) == (3, 2)


def test_images_that_were_left_out_are_other_real_ones_where_there_is_no_training_side(world):
    found = open_captioned(settings(world.images, side="all", max_images=7), {}, 16, RecordingConsole())
    assert (len(found.measured), len(found.others)) == (7, 9) and not names(found.measured) & names(found.others)
    tested = open_captioned(settings(world.images, max_images=3), {}, 16, RecordingConsole())
    assert len(tested.others) == 8  # of a split those of its train subset alone


def test_classes_of_a_column_and_several_captions(world, tmp_path):
    images = shutil.copytree(world.images, tmp_path / "images")
    table = images / "metadata.jsonl"
    rows = [json.loads(line) for line in table.read_text().splitlines()]
    table.write_text("".join(json.dumps({**row, "kind": f"k{k % 3}"}) + "\n" for k, row in enumerate(rows)))
    found = open_captioned(settings(images, class_column="kind"), {}, 16, RecordingConsole())
    assert set(found.measured.classes) <= {"k0", "k1", "k2"}
    assert any(len(texts) == 3 for texts in found.measured.texts)
    assert found.measured.captions == [texts[0] for texts in found.measured.texts]
    with pytest.raises(RsforgeError, match="no column other") as raised:
        open_captioned(settings(images, class_column="other"), {}, 16, RecordingConsole())
    assert "--class-column" in raised.value.fix


def test_classes_are_those_of_the_names_that_images_had(world, tmp_path):
    images = shutil.copytree(world.images, tmp_path / "images")
    table = images / "metadata.jsonl"
    rows = [json.loads(line) for line in table.read_text().splitlines()]
    sources = [f"rsicd_images/park_{k}.jpg" if k % 2 else "rsicd_images/port_7.jpg" for k in range(len(rows))]
    lines = [json.dumps({**row, "source": name}) + "\n" for row, name in zip(rows, sources, strict=True)]
    table.write_text("".join(lines))
    found = open_captioned(settings(images), {}, 16, RecordingConsole())
    assert set(found.measured.classes) == {"park", "port"}


def test_the_digest_knows_images_and_captions(world, tmp_path):
    images = shutil.copytree(world.images, tmp_path / "images")
    before = open_captioned(settings(images), {}, 16, RecordingConsole()).measured.digest
    assert before == open_captioned(settings(world.images), {}, 16, RecordingConsole()).measured.digest
    table = images / "metadata.jsonl"
    table.write_text(table.read_text().replace("a river", "a brook"))
    assert open_captioned(settings(images), {}, 16, RecordingConsole()).measured.digest != before


def test_pictures_of_the_evaluation_itself_are_no_data(world, tmp_path):
    images = shutil.copytree(world.images, tmp_path / "images")
    drawn = images / "out" / "drawn"
    drawn.mkdir(parents=True)
    shutil.copy(next(images.glob("*.png")), drawn / "000000.png")
    Image.new("RGB", (16, 16)).save(drawn / "000001.png")
    found = open_captioned(settings(images, output_dir=images / "out"), {}, 16, RecordingConsole())
    assert len(found.measured) == 5
    with pytest.raises(RsforgeError, match="also the output folder"):
        open_captioned(settings(images, output_dir=images), {}, 16, RecordingConsole())
