"""Real captioned tables and real images by class."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from PIL import Image

from rsforge.cli.main import run
from rsforge.data.io.image_reader import find_images
from tests.worlds.commands import command

LINE = "data parquet-to-jsonl --parquet-path {} --output-dir {} --json"


@pytest.mark.parametrize("mode", ["first", "all", "rows"])
def test_rsicd_is_read_by_the_datasets_library(real_data: Path, tmp_path: Path, monkeypatch, capsys, mode) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    datasets = pytest.importorskip("datasets")
    source = real_data / "captions" / "parquet"
    assert run(command(f"{LINE} --captions {mode}", source, tmp_path / "out")) == 0
    result = json.loads(capsys.readouterr().out)
    assert (result["images"], result["skipped"], result["over_77_tokens"]) == (17, 0, 0)
    datasets.disable_progress_bars()
    read = datasets.load_dataset("imagefolder", data_dir=result["data_dir"], cache_dir=str(tmp_path / "cache"))["train"]
    first = "a football field with several buildiings surroudned ."
    assert read.num_rows == (85 if mode == "rows" else 17)
    assert read[0]["text"] == first if mode != "all" else read[0]["text"][0] == first and len(read[0]["text"]) == 5
    assert {row["image"].size for row in read} == {(512, 512)}


def test_odd_tables_end_in_a_named_error(real_data: Path, tmp_path: Path, capsys) -> None:
    paths = sorted((real_data / "odd_files" / "parquet").rglob("*.parquet"))
    assert paths
    for path in paths:
        for more in (
            "",
            " --image-column name --caption-column comment_col",
            " --image-column foo --caption-column foo",
        ):
            assert run(command(LINE + more, path, tmp_path / "out")) == 3, path
            told = json.loads(capsys.readouterr().err.splitlines()[-1])
            assert told["code"] in ("RSF-D006", "RSF-D007"), path


def test_corel_is_prepared_by_class(real_data: Path, tmp_path: Path, capsys) -> None:
    source = tmp_path / "data" / "corel"
    source.mkdir(parents=True)
    for path in find_images(real_data / "tiles" / "corel_128px_derived"):
        with Image.open(path) as image:
            image.save(source / f"{path.stem}.png", compress_level=0)
    names = ["royalguard", "beach", "mountain", "flower", "building", "animal"]
    (source / "classes.txt").write_text("".join(f"{k} {name}\n" for k, name in enumerate(names, 1)))
    assert run(command("data prepare-classes --data-dir data/corel --base-dir {} --json", tmp_path)) == 0
    assert list(json.loads(capsys.readouterr().out)["classes"].values()) == [89, 74, 45, 32, 47, 68]
    captions = json.loads((tmp_path / "training_data" / "corel" / "corel_all" / "captions.json").read_text())
    assert len(captions) == 355 and captions["0006_0068.png"] == "a photo of an animal"
