from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from rsforge.cli.main import run
from rsforge.data.io.rasters import read_raster
from rsforge.recipes.data import prepare_classes
from tests.worlds.commands import VAE, command, rsforge
from tests.worlds.rasters import lay_mask

LINE = "data prepare-classes --base-dir {} --json"
NAMES = ["0001_0001.png", "0001_0002.png", "0002_0001.PNG", "0006_0001.jpg"]


@pytest.fixture
def base(tmp_path: Path) -> Path:
    (tmp_path / "data" / "corel").mkdir(parents=True)
    for k, name in enumerate(NAMES):
        Image.fromarray(np.full((20, 24, 3), 60 * k, np.uint8)).save(tmp_path / "data" / "corel" / name)
    (tmp_path / "data" / "corel" / "classes.txt").write_text("1 royalguard\n2 beach\n6 animal\n")
    return tmp_path


@pytest.fixture
def prepare(base, capsys):
    def call(line: str = " --no-visualize", code: int = 0) -> dict:
        assert run(command(LINE + line, base)) == code
        told = capsys.readouterr()
        return json.loads(told.out if code == 0 else told.err.splitlines()[-1]) | {"err": told.err}

    return call


def times(folder: Path) -> dict[str, int]:
    return {str(p.relative_to(folder)): p.stat().st_mtime_ns for p in folder.rglob("*") if p.name != ".lock"}


def test_the_documented_layout(base, prepare):
    told = prepare("")
    assert told["images"] == 4 and told["classes"] == {"1 royalguard": 2, "2 beach": 1, "6 animal": 1}
    out = base / "training_data" / "corel"
    assert sorted(p.name for p in out.iterdir() if p.is_dir()) == [
        "class_0001",
        "class_0002",
        "class_0006",
        "corel_all",
    ]
    text = (out / "corel_all" / "captions.json").read_text()
    assert text.startswith('{\n  "0001_0001.png": "a photo of a royalguard",\n')
    assert json.loads(text)["0006_0001.jpg"] == "a photo of an animal" and list(json.loads(text)) == NAMES
    assert json.loads((out / "class_0002" / "captions.json").read_text()) == {"0002_0001.PNG": "a photo of a beach"}
    for folder in ("corel_all", "class_0001"):
        assert (out / folder / NAMES[1]).read_bytes() == (base / "data" / "corel" / NAMES[1]).read_bytes()
    figure = np.asarray(Image.open(base / "figs" / "corel_dataset_samples.png"))
    assert figure.shape == (3 * 130 + 2, 3 * 130 + 2, 3) and (figure[100:120, 140:250] == 60).all()
    before = times(base)
    again = prepare("")
    assert again["state"] == "unchanged" and "nothing to do" in again["err"] and times(base) == before


def test_what_was_prepared_can_be_trained_on(base, prepare, tmp_path):
    prepare()
    line = f"vae train --data-dir {{}} --output-dir {{}} --epochs 1 {VAE}"
    assert rsforge(line, base / "training_data" / "corel" / "corel_all", tmp_path / "vae") == 0


def test_changed_and_vanished_sources_are_followed(base, prepare):
    prepare()
    source, out = base / "data" / "corel", base / "training_data" / "corel"
    before = times(out)
    Image.fromarray(np.full((20, 24, 3), 9, np.uint8)).save(source / NAMES[0])
    (source / NAMES[2]).unlink()
    (out / "corel_all" / NAMES[3]).unlink()
    told = prepare()
    assert (told["state"], told["removed"]) == ("prepared", 3) and "removed    class_0002/0002_0001.PNG" in told["err"]
    assert (out / "class_0001" / NAMES[0]).read_bytes() == (source / NAMES[0]).read_bytes()
    assert (out / "corel_all" / NAMES[3]).read_bytes() == (source / NAMES[3]).read_bytes()
    assert not list(out.rglob(NAMES[2])) and NAMES[2] not in (out / "corel_all" / "captions.json").read_text()
    assert times(out)[f"class_0001/{NAMES[1]}"] == before[f"class_0001/{NAMES[1]}"]


def test_what_a_user_changed_is_not_removed(base, prepare):
    prepare()
    mine = base / "training_data" / "corel" / "class_0002" / NAMES[2]
    mine.write_bytes(b"mine")
    (base / "data" / "corel" / NAMES[2]).unlink()
    assert "was changed since: left there" in prepare()["err"] and mine.read_bytes() == b"mine"


def test_what_a_user_changed_is_not_replaced(base, prepare):
    prepare()
    source, out = base / "data" / "corel", base / "training_data" / "corel"
    mine = out / "corel_all" / "captions.json"
    mine.write_text("{}")
    for _ in range(2):
        told = prepare()
        assert (
            told["state"] == "unchanged" and "corel_all/captions.json was changed since: left as it is" in told["err"]
        )
        assert mine.read_text() == "{}"
    Image.new("RGB", (9, 9)).save(source / "0002_0002.png")
    told = prepare(code=2)
    assert told["code"] == "RSF-U004" and "corel_all/captions.json" in told["found"] and mine.read_text() == "{}"
    assert not (out / "corel_all" / "0002_0002.png").exists()
    mine.unlink()
    assert prepare()["written"] == 4 and len(json.loads(mine.read_text())) == 5


def test_a_run_that_was_killed_knows_its_own_files(base, prepare, monkeypatch):
    prepare()
    Image.new("RGB", (9, 9)).save(base / "data" / "corel" / NAMES[0])
    with monkeypatch.context() as patch:
        patch.setattr(prepare_classes, "_write_files", lambda *given: 1 / 0)
        prepare(code=1)
    assert prepare()["written"] == 2


def test_input_and_output_lie_apart(base, prepare):
    source = base / "data" / "corel"
    for line in (" --output-dir data/corel", " --output-dir data/corel/made", " --output-dir data"):
        assert prepare(line, code=2)["code"] == "RSF-U005"
    assert sorted(p.name for p in source.iterdir()) == sorted([*NAMES, "classes.txt"])


def test_images_of_others_in_the_output_are_refused(base, prepare):
    (base / "training_data" / "corel" / "corel_all").mkdir(parents=True)
    (base / "training_data" / "corel" / "corel_all" / "holiday.png").touch()
    told = prepare(code=2)
    assert told["code"] == "RSF-U004" and "corel_all/holiday.png" in told["found"]


def test_nothing_is_dropped_silently(base, prepare):
    (base / "data" / "corel" / "holiday.png").write_bytes(b"x")
    (base / "data" / "corel" / "0003_0001.png").write_bytes(b"x")
    told = prepare(code=3)
    assert told["code"] == "RSF-D002" and "holiday.png" in told["found"] and "0003_0001.png" in told["found"]
    assert not (base / "training_data").exists()
    (base / "data" / "corel" / "0001_0099.gif").write_bytes(b"x")
    assert "0001_0099.gif: images of this kind are not read" in prepare(code=3)["found"]
    told = prepare(" --no-visualize --on-bad skip")
    assert (told["images"], told["skipped"]) == (4, 3) and "warning: left out holiday.png" in told["err"]


def test_classes_without_names_are_told(base, prepare):
    names = base / "data" / "corel" / "classes.txt"
    names.write_text("1 royalguard\n6 animal\n7 vehicle\n")
    told = prepare()
    assert "generic names for 2 (thing of class 2)" in told["err"] and "without images: 7 (vehicle)" in told["err"]
    names.unlink()
    told = prepare()
    assert "has no classes.txt: generic names for 1 (royalguard), 2 (beach), 6 (animal)" in told["err"]
    names.write_text("royalguard\n")
    assert prepare(code=3)["code"] == "RSF-D006"


def test_links_plans_and_damaged_records(base, prepare):
    assert prepare(" --dry-run")["plan"]["files"] == 12 and not (base / "training_data").exists()
    prepare(" --no-visualize --no-copy-files")
    out = base / "training_data" / "corel"
    assert (out / "corel_all" / NAMES[0]).samefile(base / "data" / "corel" / NAMES[0])
    for text in ("{", '{"files": {"../../data/corel/0001_0001.png": "x"}}', '{"files": 3}'):
        (out / "prepared.json").write_text(text)
        assert prepare(code=3)["code"] == "RSF-D006"


def test_an_empty_folder(base, prepare):
    for path in (base / "data" / "corel").iterdir():
        path.unlink()
    assert prepare(code=3)["code"] == "RSF-D001"


def test_masks_go_with_their_images(base, prepare):
    source, out = base / "data" / "corel" / NAMES[1], base / "training_data" / "corel"
    inside = np.ones((20, 24), bool)
    inside[:5] = False
    lay_mask(source, inside)
    assert prepare()["written"] == 14
    for folder in ("corel_all", "class_0001"):
        assert not read_raster(out / folder / NAMES[1]).valid[:5].any()
    assert prepare()["state"] == "unchanged"
    source.with_name(f"{source.name}.msk").unlink()
    assert prepare()["removed"] == 2
    assert read_raster(out / "corel_all" / NAMES[1]).valid.all()
