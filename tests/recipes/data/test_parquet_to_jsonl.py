"""Captioned images from Parquet files, through the command line."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from rsforge import durable
from rsforge.cli.main import run
from rsforge.data.captions.tables import read_lines
from tests.worlds.caption_extraction import ODD, encode_picture, read_all, read_metadata, write_captioned
from tests.worlds.commands import command


def test_the_documented_layout(source, tmp_path, extract):
    line = "data parquet-to-jsonl --parquet_path {} --output_dir {} --caption_file captions.txt"
    assert run(command(line, source, tmp_path / "out")) == 0
    out = tmp_path / "out"
    assert (out / "captions.txt").read_text() == "".join(f"image_{k + 1:06d}.jpg\tscene {k}\n" for k in range(5))
    assert read_metadata(out) == [{"file_name": f"image_{k + 1:06d}.jpg", "text": f"scene {k}"} for k in range(5)]
    for k in range(5):
        with Image.open(out / "rsicd_images" / f"image_{k + 1:06d}.jpg") as image:
            assert (image.format, image.size, image.mode) == ("JPEG", (512, 512), "RGB")
            assert np.abs(np.asarray(image).astype(int) - (k * 37 % 256, k * 11 % 256, k % 256)).max() < 8


@pytest.mark.parametrize(
    ("mode", "texts"),
    [("first", ["a"]), ("join", ["a b"]), ("all", [["a", "b"]]), ("rows", ["a", "b"]), ("random", None)],
)
def test_the_datasets_library_reads_images_and_captions(tmp_path, monkeypatch, extract, mode, texts):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    datasets = pytest.importorskip("datasets")
    source = write_captioned(
        tmp_path / "x.parquet", [encode_picture(k) for k in range(3)], [["a", "b"], [ODD], ["c", "d"]]
    )
    result = extract(f" --captions {mode} --format png", source, tmp_path / "out")
    datasets.disable_progress_bars()
    read = datasets.load_dataset("imagefolder", data_dir=result["data_dir"], cache_dir=str(tmp_path / "cache"))["train"]
    reached = [row["text"] for row in read]
    assert [text for text in reached if ODD in text] == [[ODD] if mode == "all" else ODD]
    if texts:
        assert reached[: len(texts)] == texts
    assert len(reached) == (5 if mode == "rows" else 3)
    assert read[0]["image"].size == (16, 16) and read[0]["image"].getpixel((3, 3)) == (0, 0, 0)


def test_odd_captions_survive_both_ways(tmp_path, extract, capsys):
    source = write_captioned(tmp_path / "x.parquet", [encode_picture(1), encode_picture(2)], [[ODD], ["plain"]])
    out = tmp_path / "out"
    extract("", source, out)
    assert [line.text for line in read_lines(out / "captions.txt")] == [ODD, "plain"]
    assert (out / "captions.txt").read_bytes().count(b"\n") == 2
    line = "data captions-to-jsonl --caption_file {} --output_file {} --json"
    assert run(command(line, out / "captions.txt", tmp_path / "again.jsonl")) == 0
    assert (tmp_path / "again.jsonl").read_bytes() == (out / "metadata.jsonl").read_bytes()
    capsys.readouterr()
    assert run(command(line, out / "captions.txt", out / "metadata.jsonl")) == 0
    assert json.loads(capsys.readouterr().out)["state"] == "unchanged"


def test_own_names_are_kept_where_their_column_is_named(source, tmp_path, extract):
    extract(" --name-column filename", source, tmp_path / "out")
    rows = read_metadata(tmp_path / "out")
    assert {row["source"] for row in rows} == {"same.jpg"} and rows[0]["file_name"] == "image_000001.jpg"
    again = extract(" --name-column filename", source, tmp_path / "out")
    assert again["state"] == "unchanged"
    extract("", source, tmp_path / "out", code=2)  # without them it is another extraction


def test_a_finished_extraction_is_left_alone(source, tmp_path, extract):
    out = tmp_path / "out"
    assert extract("", source, out)["state"] == "new"
    before = {p: p.stat().st_mtime_ns for p in out.rglob("*") if p.name != ".lock"}
    again = extract("", source, out)
    assert again["state"] == "unchanged" and again["images"] == 5 and "nothing to do" in again["err"]
    assert before == {p: p.stat().st_mtime_ns for p in out.rglob("*") if p.name != ".lock"}
    result = extract(" --quality 50", source, out, code=2)
    assert result["code"] == "RSF-U004" and "--quality was 95, is 50" in result["found"]
    write_captioned(source, [encode_picture(9)], [["other"]])
    assert "other Parquet files" in extract("", source, out, code=2)["found"]
    assert extract(" --overwrite --images-dir pictures", source, out)["images"] == 1
    assert len(list(out.rglob("*.jpg"))) == 1
    one = next(out.rglob("*.jpg"))
    one.write_bytes(one.read_bytes()[:1])
    assert "no longer whole" in extract(" --images-dir pictures", source, out, code=2)["message"]


def test_a_changed_image_of_the_same_size_is_noticed_but_by_records_of_before(source, tmp_path, extract):
    out = tmp_path / "out"
    extract("", source, out)
    image = next(out.rglob("*.jpg"))
    image.write_bytes(bytes(image.stat().st_size))
    assert "no longer whole" in extract("", source, out, code=2)["message"]
    state = json.loads((out / "extraction.json").read_text())
    sizes = "".join(f"{p.name} {p.stat().st_size}\n" for p in list_described(out))
    former = {**state, "contents": None, "sizes": hashlib.sha256(sizes.encode()).hexdigest()}
    (out / "extraction.json").write_text(json.dumps({k: v for k, v in former.items() if v is not None}))
    assert extract("", source, out)["state"] == "unchanged"


def list_described(out):
    folder = next(out.rglob("*.jpg")).parent
    table = next(p for p in out.rglob("*.txt"))
    return [table, out / "metadata.jsonl", folder / "metadata.jsonl", *sorted(folder.glob("image_*"))]


def test_files_of_others_are_not_touched(source, tmp_path, extract):
    (tmp_path / "out" / "rsicd_images").mkdir(parents=True)
    (tmp_path / "out" / "rsicd_images" / "holiday.png").write_bytes(b"x")
    result = extract("", source, tmp_path / "out", code=2)
    assert result["code"] == "RSF-U004" and "holiday.png" in result["found"]
    assert extract(" --overwrite", source, tmp_path / "out", code=2)["code"] == "RSF-U004"
    for name in ("captions.txt", "metadata.jsonl", "rsicd_images/metadata.jsonl", "rsicd_images/image_000001.jpg"):
        other = tmp_path / name.replace("/", "-")
        (other / name).parent.mkdir(parents=True)
        (other / name).write_bytes(b"mine")
        result = extract(" --overwrite", source, other, code=2)
        assert result["code"] == "RSF-U004" and Path(name).name in result["found"]
        assert read_all(other) == {name: b"mine"}
    (tmp_path / "z").mkdir()
    (tmp_path / "z" / "extraction.json").write_text('{"tool": "another"}')
    assert extract(" --overwrite", source, tmp_path / "z", code=2)["code"] == "RSF-U004"


def test_overwriting_removes_what_was_recorded_alone(source, tmp_path, extract):
    out = tmp_path / "out"
    extract(" --caption-file old.txt --images-dir old", source, out)
    (out / "rsicd_images").mkdir()
    (out / "rsicd_images" / "image_000009.jpg").write_bytes(b"mine")
    (out / "old" / "image_000009.jpg").write_bytes(b"mine")
    assert extract(" --overwrite", source, out, code=2)["found"] == "image_000009.jpg"
    extract(" --overwrite --images-dir new", source, out)
    assert [p.name for p in (out / "old").iterdir()] == ["image_000009.jpg"] and not (out / "old.txt").exists()
    assert (out / "rsicd_images" / "image_000009.jpg").read_bytes() == b"mine"


def test_the_source_is_never_an_output(source, tmp_path, extract):
    whole, out = source.read_bytes(), tmp_path / "out"
    for place in ("../x.parquet", str(source), "rsicd_images/../../x.parquet"):
        result = extract(f" --overwrite --caption-file {place}", source, out, code=2)
        assert result["code"] == "RSF-U005" and result["where"] == "--caption-file"
    assert extract(" --overwrite --caption-file x.parquet", source, tmp_path, code=2)["code"] == "RSF-U005"
    (out / "sub").mkdir(parents=True)
    (out / "link.txt").symlink_to(source)
    assert extract(" --overwrite --caption-file link.txt", source, out, code=2)["code"] == "RSF-U005"
    assert source.read_bytes() == whole
    extract(f" --caption-file {out / 'sub' / 'mine.txt'}", source, out)
    assert extract(" --caption-file sub/mine.txt", source, out)["state"] == "unchanged"
    (out / "sub" / "mine.txt").write_bytes(whole)
    result = extract(" --overwrite", out / "sub" / "mine.txt", out, code=2)
    assert result["code"] == "RSF-U005" and "mine.txt" in result["found"]


def test_a_path_that_leaves_the_folder_is_refused(tmp_path, extract):
    cells = pa.array([{"bytes": None, "path": "../secret.jpg"}], pa.struct({"bytes": pa.binary(), "path": pa.string()}))
    pq.write_table(pa.table({"image": cells, "text": ["a"]}), tmp_path / "x.parquet")
    assert extract("", tmp_path / "x.parquet", tmp_path / "out", code=3)["code"] == "RSF-D005"


def test_long_captions_are_counted(tmp_path, extract):
    source = write_captioned(
        tmp_path / "x.parquet", [encode_picture(k) for k in range(3)], [["word " * 76], ["short"], ["word " * 75]]
    )
    result = extract("", source, tmp_path / "out")
    assert result["over_77_tokens"] == 1 and result["tokens_counted"].startswith("at least")
    assert "at least 1 of 3 images has a caption over 77 CLIP tokens" in result["err"]


def test_settings_that_do_not_fit(source, tmp_path, extract):
    for line in (" --images-dir ../out", " --images-dir /tmp", " --caption-file metadata.jsonl", " --caption-file ."):
        assert extract(line, source, tmp_path / "out", code=2)["code"] == "RSF-U005"
    assert extract(" --clip 9 9", source, tmp_path / "out", code=2)["code"] == "RSF-U001"
    assert not (tmp_path / "out").exists()


def test_what_to_load_is_said(source, tmp_path, extract):
    result = extract("", source, tmp_path / "out")
    assert f'load_dataset("imagefolder", data_dir="{tmp_path / "out" / "rsicd_images"}")' in result["err"]


def test_images_may_lie_beside_their_tables(source, tmp_path, extract):
    extract(" --images-dir .", source, tmp_path)
    assert extract(" --images-dir .", source, tmp_path)["state"] == "unchanged"
    assert (tmp_path / "image_000005.jpg").exists() and len(read_metadata(tmp_path)) == 5


def test_a_plan_writes_nothing(source, tmp_path, extract):
    plan = extract(" --dry-run", source, tmp_path / "out")["plan"]
    assert plan["rows"] == 5 and plan["state"] == "new" and not (tmp_path / "out").exists()


def test_a_folder_that_may_not_be_written(source, tmp_path, extract, monkeypatch):
    def denied(operation: str) -> None:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(tmp_path / "out"))

    monkeypatch.setattr(durable, "before_operation", denied)
    assert extract("", source, tmp_path / "out", code=6)["code"] == "RSF-E002"


def test_the_recipe_starts_without_torch_and_pandas():
    heavy = "{'torch', 'pandas', 'rasterio'}"
    probe = f"import sys, rsforge.recipes.data.parquet_to_jsonl; sys.exit(bool({heavy} & sys.modules.keys()))"
    assert subprocess.run([sys.executable, "-c", probe], check=False).returncode == 0
