from __future__ import annotations

import errno
import io
import json
import os
import signal
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
from rsforge.data.captions import resize
from rsforge.data.captions.tables import read_lines
from rsforge.errors import Terminated
from tests.worlds.commands import command

LINE = "data parquet-to-jsonl --parquet-path {} --output-dir {} --resolution 16 --json"
ODD = "a\ttab\nline: 'x' \"y\" \\n \0 東京 \u2028 \u241b0009"


def picture(k: int, kind: str = "JPEG", mode: str = "RGB") -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (12, 8), (k * 37 % 256, k * 11 % 256, k % 256)).convert(mode).save(buffer, kind)
    return buffer.getvalue()


def write(path: Path, images: list[bytes | None], captions: list[list[str] | None]) -> Path:
    cells = [image and {"bytes": image, "path": "same.jpg"} for image in images]
    kind = pa.struct({"bytes": pa.binary(), "path": pa.string()})
    columns = {"filename": ["same.jpg"] * len(cells), "captions": pa.array(captions, pa.list_(pa.string()))}
    pq.write_table(pa.table({**columns, "image": pa.array(cells, kind)}), path, row_group_size=40)
    return path


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return write(
        tmp_path / "x.parquet", [picture(k) for k in range(5)], [[f"scene {k}", f"again {k}"] for k in range(5)]
    )


@pytest.fixture
def extract(capsys):
    def call(line: str, *paths: object, code: int = 0) -> dict:
        assert run(command(LINE + line, *paths)) == code
        told = capsys.readouterr()
        return json.loads(told.out if code == 0 else told.err.splitlines()[-1]) | {"err": told.err}

    return call


def metadata(out: Path) -> list[dict]:
    return [json.loads(line) for line in (out / "metadata.jsonl").read_text("utf-8").split("\n")[:-1]]


def everything(out: Path) -> dict[str, bytes]:
    return {p.relative_to(out).as_posix(): p.read_bytes() for p in out.rglob("*") if p.is_file() and p.name != ".lock"}


def test_the_documented_layout(source, tmp_path, extract):
    line = "data parquet-to-jsonl --parquet_path {} --output_dir {} --caption_file captions.txt"
    assert run(command(line, source, tmp_path / "out")) == 0
    out = tmp_path / "out"
    assert (out / "captions.txt").read_text() == "".join(f"image_{k + 1:06d}.jpg\tscene {k}\n" for k in range(5))
    assert metadata(out) == [{"file_name": f"image_{k + 1:06d}.jpg", "text": f"scene {k}"} for k in range(5)]
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
    source = write(tmp_path / "x.parquet", [picture(k) for k in range(3)], [["a", "b"], [ODD], ["c", "d"]])
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
    source = write(tmp_path / "x.parquet", [picture(1), picture(2)], [[ODD], ["plain"]])
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


def test_images_of_every_kind(tmp_path, extract):
    alpha, grey16 = io.BytesIO(), io.BytesIO()
    Image.new("RGBA", (9, 9), (250, 100, 0, 0)).save(alpha, "PNG")
    Image.fromarray(np.full((9, 9), 30_000, np.uint16)).save(grey16, "TIFF")
    images = [alpha.getvalue(), grey16.getvalue(), picture(3, "JPEG", "CMYK"), picture(4, "TIFF", "L")]
    source = write(tmp_path / "x.parquet", images, [["a"]] * 4)
    told = extract(" --format png", source, tmp_path / "out", code=3)
    assert told["code"] == "RSF-D007" and "row 2" in told["where"] and "--clip LOW HIGH" in told["message"]
    assert extract(" --format png --on-bad skip", source, tmp_path / "out")["skipped"] == 1
    extract(" --format png --clip 0 65535 --overwrite", source, tmp_path / "out")
    seen = [Image.open(p).convert("RGB").getpixel((8, 8)) for p in sorted((tmp_path / "out").rglob("*.png"))]
    assert seen[0] == (0, 0, 0) and seen[1] == (117, 117, 117) and len(seen) == 4


def test_a_finished_extraction_is_left_alone(source, tmp_path, extract):
    out = tmp_path / "out"
    assert extract("", source, out)["state"] == "new"
    before = {p: p.stat().st_mtime_ns for p in out.rglob("*") if p.name != ".lock"}
    again = extract("", source, out)
    assert again["state"] == "unchanged" and again["images"] == 5 and "nothing to do" in again["err"]
    assert before == {p: p.stat().st_mtime_ns for p in out.rglob("*") if p.name != ".lock"}
    told = extract(" --quality 50", source, out, code=2)
    assert told["code"] == "RSF-U004" and "--quality was 95, is 50" in told["found"]
    write(source, [picture(9)], [["other"]])
    assert "other Parquet files" in extract("", source, out, code=2)["found"]
    assert extract(" --overwrite --images-dir pictures", source, out)["images"] == 1
    assert len(list(out.rglob("*.jpg"))) == 1
    one = next(out.rglob("*.jpg"))
    one.write_bytes(one.read_bytes()[:1])
    assert "no longer whole" in extract(" --images-dir pictures", source, out, code=2)["message"]


def test_files_of_others_are_not_touched(source, tmp_path, extract):
    (tmp_path / "out" / "rsicd_images").mkdir(parents=True)
    (tmp_path / "out" / "rsicd_images" / "holiday.png").write_bytes(b"x")
    told = extract("", source, tmp_path / "out", code=2)
    assert told["code"] == "RSF-U004" and "holiday.png" in told["found"]
    assert extract(" --overwrite", source, tmp_path / "out", code=2)["code"] == "RSF-U004"
    for name in ("captions.txt", "metadata.jsonl", "rsicd_images/metadata.jsonl", "rsicd_images/image_000001.jpg"):
        other = tmp_path / name.replace("/", "-")
        (other / name).parent.mkdir(parents=True)
        (other / name).write_bytes(b"mine")
        told = extract(" --overwrite", source, other, code=2)
        assert told["code"] == "RSF-U004" and Path(name).name in told["found"]
        assert everything(other) == {name: b"mine"}
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
        told = extract(f" --overwrite --caption-file {place}", source, out, code=2)
        assert told["code"] == "RSF-U005" and told["where"] == "--caption-file"
    assert extract(" --overwrite --caption-file x.parquet", source, tmp_path, code=2)["code"] == "RSF-U005"
    (out / "sub").mkdir(parents=True)
    (out / "link.txt").symlink_to(source)
    assert extract(" --overwrite --caption-file link.txt", source, out, code=2)["code"] == "RSF-U005"
    assert source.read_bytes() == whole
    extract(f" --caption-file {out / 'sub' / 'mine.txt'}", source, out)
    assert extract(" --caption-file sub/mine.txt", source, out)["state"] == "unchanged"
    (out / "sub" / "mine.txt").write_bytes(whole)
    told = extract(" --overwrite", out / "sub" / "mine.txt", out, code=2)
    assert told["code"] == "RSF-U005" and "mine.txt" in told["found"]


KILLED = """
import os, signal, sys
from rsforge.cli.main import main
from rsforge.data.captions.image_folder import CaptionFolder
real, left = CaptionFolder.commit_chunk, [int(sys.argv.pop(1))]
def commit_chunk(self, records, temporaries):
    left[0] -= 1
    if left[0] < 0:
        os.kill(os.getpid(), signal.SIGKILL)
    real(self, records, temporaries)
CaptionFolder.commit_chunk = commit_chunk
main()
"""


def test_a_killed_run_goes_on_where_it_was(tmp_path, extract):
    count = 200
    source = write(tmp_path / "x.parquet", [picture(k) for k in range(count)], [[f"scene {k}"] for k in range(count)])
    out, whole = tmp_path / "out", tmp_path / "whole"
    extract("", source, whole)
    for chunks in (1, 1):
        words = command(LINE, source, out)
        done = subprocess.run([sys.executable, "-c", KILLED, str(chunks), *words], check=False, capture_output=True)
        assert done.returncode == -signal.SIGKILL, done.stderr
    images = {p: p.stat().st_mtime_ns for p in out.rglob("image_*.jpg")}
    assert len(images) == 128 and not (out / "metadata.jsonl").exists() and list(out.rglob(".tmp-*"))
    result = extract("", source, out)
    assert result["state"] == "resumed" and result["images"] == count and "after 128 of 200 rows" in result["err"]
    assert images.items() <= {p: p.stat().st_mtime_ns for p in out.rglob("image_*.jpg")}.items()
    assert everything(out) == everything(whole)


ENDS = {
    "full disk": (OSError(errno.ENOSPC, "No space left on device"), 6, "RSF-E001"),
    "interrupt": (KeyboardInterrupt(), 130, "RSF-I130"),
    "terminated": (Terminated(), 143, "RSF-I143"),
}


def test_a_disk_that_is_full_at_once_keeps_nothing_and_says_so(source, tmp_path, extract, monkeypatch):
    def full(*given: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(resize, "save_image", full)
    told = extract("", source, tmp_path / "out", code=6)
    assert told["code"] == "RSF-E001" and told["kept"] == "no image yet" and "is whole" not in told["fix"]
    assert everything(tmp_path / "out") == {}


@pytest.mark.parametrize("end", ["full disk", "interrupt", "terminated"])
def test_what_was_written_before_a_bad_end_is_usable(tmp_path, extract, monkeypatch, end):
    source = write(tmp_path / "x.parquet", [picture(k) for k in range(150)], [["a"]] * 150)
    out, real = tmp_path / "out", resize.save_image

    def save(path, *more):
        if path.name.endswith("-100"):
            raise ENDS[end][0]
        real(path, *more)

    monkeypatch.setattr(resize, "save_image", save)
    told = extract("", source, out, code=ENDS[end][1])
    assert told["code"] == ENDS[end][2] and told["kept"].startswith("64 images with their captions")
    assert f"rsforge data parquet-to-jsonl --parquet-path {source}" in told["fix"]
    names = sorted(p.name for p in out.rglob("image_*"))
    assert [row["file_name"] for row in metadata(out)] == names and len(names) == 64
    assert len(list(read_lines(out / "captions.txt"))) == 64 and not list(out.rglob(".tmp-*"))
    monkeypatch.undo()
    assert extract("", source, out)["images"] == 150


def test_bad_rows_are_named_and_refused_or_left_out(tmp_path, extract):
    images = [picture(0), None, b"no picture", picture(3), picture(0)]
    source = write(tmp_path / "x.parquet", images, [["a"], ["b"], ["c"], None, ["d", "", " "]])
    told = extract("", source, tmp_path / "out", code=3)
    assert told["code"] == "RSF-D007" and told["where"] == "x.parquet row 2" and told["kept"].startswith("1 images")
    assert "no image" in told["message"] and "--on-bad skip" in told["fix"]
    result = extract(" --on-bad skip", source, tmp_path / "out")
    assert (result["state"], result["rows"], result["images"], result["skipped"]) == ("resumed", 5, 2, 3)
    assert (result["duplicate_images"], result["blank_captions"]) == (1, 2)
    for row, reason in ((2, "no image"), (3, "not an intact"), (4, "no caption")):
        assert any(f"row {row}: " in bad and reason in bad for bad in result["left_out"])
        assert f"warning: left out x.parquet row {row}: " in result["err"]
    assert [r["text"] for r in metadata(tmp_path / "out")] == ["a", "d"]
    assert [r["file_name"] for r in metadata(tmp_path / "out")] == ["image_000001.jpg", "image_000002.jpg"]


def test_no_good_row_and_no_row_at_all(tmp_path, extract):
    source = write(tmp_path / "x.parquet", [b"bad"], [["a"]])
    for line in (" --on-bad skip", " --on-bad error --quality 50"):
        assert extract(line, source, tmp_path / "out", code=3)["code"] == "RSF-D007"
        assert everything(tmp_path / "out") == {}
    told = extract("", write(tmp_path / "y.parquet", [], []), tmp_path / "none", code=3)
    assert told["code"] == "RSF-D006" and "no rows" in told["message"] and not (tmp_path / "none").exists()


def test_a_path_that_leaves_the_folder_is_refused(tmp_path, extract):
    cells = pa.array([{"bytes": None, "path": "../secret.jpg"}], pa.struct({"bytes": pa.binary(), "path": pa.string()}))
    pq.write_table(pa.table({"image": cells, "text": ["a"]}), tmp_path / "x.parquet")
    assert extract("", tmp_path / "x.parquet", tmp_path / "out", code=3)["code"] == "RSF-D005"


def test_long_captions_are_counted(tmp_path, extract):
    source = write(tmp_path / "x.parquet", [picture(k) for k in range(3)], [["word " * 76], ["short"], ["word " * 75]])
    result = extract("", source, tmp_path / "out")
    assert result["over_77_tokens"] == 1 and result["tokens_counted"].startswith("at least")
    assert "at least 1 of 3 images have a caption over 77 CLIP tokens" in result["err"]


def test_settings_that_do_not_fit(source, tmp_path, extract):
    for line in (" --images-dir ../out", " --images-dir /tmp", " --caption-file metadata.jsonl", " --caption-file ."):
        assert extract(line, source, tmp_path / "out", code=2)["code"] == "RSF-U005"
    assert extract(" --clip 9 9", source, tmp_path / "out", code=2)["code"] == "RSF-U001"
    assert not (tmp_path / "out").exists()


def test_what_to_load_is_said(source, tmp_path, extract):
    told = extract("", source, tmp_path / "out")
    assert f'load_dataset("imagefolder", data_dir="{tmp_path / "out" / "rsicd_images"}")' in told["err"]


def test_images_may_lie_beside_their_tables(source, tmp_path, extract):
    extract(" --images-dir .", source, tmp_path)
    assert extract(" --images-dir .", source, tmp_path)["state"] == "unchanged"
    assert (tmp_path / "image_000005.jpg").exists() and len(metadata(tmp_path)) == 5


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
