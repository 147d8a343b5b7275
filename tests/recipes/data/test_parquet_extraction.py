"""Images that are encoded and committed, whatever ends the run."""

from __future__ import annotations

import errno
import io
import signal

import numpy as np
import pytest
from PIL import Image

from rsforge.data.captions import resize
from rsforge.data.captions.tables import read_lines
from rsforge.errors import Terminated
from tests.worlds import warm_python
from tests.worlds.caption_extraction import LINE, encode_picture, read_all, read_metadata, write_captioned
from tests.worlds.commands import command


def test_images_of_every_kind(tmp_path, extract):
    alpha, grey16 = io.BytesIO(), io.BytesIO()
    Image.new("RGBA", (9, 9), (250, 100, 0, 0)).save(alpha, "PNG")
    Image.fromarray(np.full((9, 9), 30_000, np.uint16)).save(grey16, "TIFF")
    images = [alpha.getvalue(), grey16.getvalue(), encode_picture(3, "JPEG", "CMYK"), encode_picture(4, "TIFF", "L")]
    source = write_captioned(tmp_path / "x.parquet", images, [["a"]] * 4)
    result = extract(" --format png", source, tmp_path / "out", code=3)
    assert result["code"] == "RSF-D007" and "row 2" in result["where"] and "--clip LOW HIGH" in result["message"]
    assert extract(" --format png --on-bad skip", source, tmp_path / "out")["skipped"] == 1
    extract(" --format png --clip 0 65535 --overwrite", source, tmp_path / "out")
    seen = [Image.open(p).convert("RGB").getpixel((8, 8)) for p in sorted((tmp_path / "out").rglob("*.png"))]
    assert seen[0] == (0, 0, 0) and seen[1] == (117, 117, 117) and len(seen) == 4


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
    source = write_captioned(
        tmp_path / "x.parquet", [encode_picture(k) for k in range(count)], [[f"scene {k}"] for k in range(count)]
    )
    out, whole = tmp_path / "out", tmp_path / "whole"
    extract("", source, whole)
    for chunks in (1, 1):
        words = command(LINE, source, out)
        done = warm_python.run(["-c", KILLED, str(chunks), *words])
        assert done.returncode == -signal.SIGKILL, done.stderr
    images = {p: p.stat().st_mtime_ns for p in out.rglob("image_*.jpg")}
    assert len(images) == 128 and not (out / "metadata.jsonl").exists() and list(out.rglob(".tmp-*"))
    result = extract("", source, out)
    assert result["state"] == "resumed" and result["images"] == count and "after 128 of 200 rows" in result["err"]
    assert images.items() <= {p: p.stat().st_mtime_ns for p in out.rglob("image_*.jpg")}.items()
    assert read_all(out) == read_all(whole)


ENDS = {
    "full disk": (OSError(errno.ENOSPC, "No space left on device"), 6, "RSF-E001"),
    "interrupt": (KeyboardInterrupt(), 130, "RSF-I130"),
    "terminated": (Terminated(), 143, "RSF-I143"),
}


def test_a_disk_that_is_full_at_once_keeps_nothing_and_says_so(source, tmp_path, extract, monkeypatch):
    def full(*given: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(resize, "save_image", full)
    result = extract("", source, tmp_path / "out", code=6)
    assert result["code"] == "RSF-E001" and result["kept"] == "no image yet" and "is whole" not in result["fix"]
    assert read_all(tmp_path / "out") == {}


@pytest.mark.parametrize("end", ["full disk", "interrupt", "terminated"])
def test_what_was_written_before_a_bad_end_is_usable(tmp_path, extract, monkeypatch, end):
    source = write_captioned(tmp_path / "x.parquet", [encode_picture(k) for k in range(150)], [["a"]] * 150)
    out, real = tmp_path / "out", resize.save_image

    def save(path, *more):
        if path.name.endswith("-100"):
            raise ENDS[end][0]
        real(path, *more)

    monkeypatch.setattr(resize, "save_image", save)
    result = extract("", source, out, code=ENDS[end][1])
    assert result["code"] == ENDS[end][2] and result["kept"].startswith("64 images with their captions")
    assert f"rsforge data parquet-to-jsonl --parquet-path {source}" in result["fix"]
    names = sorted(p.name for p in out.rglob("image_*"))
    assert [row["file_name"] for row in read_metadata(out)] == names and len(names) == 64
    assert len(list(read_lines(out / "captions.txt"))) == 64 and not list(out.rglob(".tmp-*"))
    monkeypatch.undo()
    assert extract("", source, out)["images"] == 150


def test_bad_rows_are_named_and_refused_or_left_out(tmp_path, extract):
    images = [encode_picture(0), None, b"no picture", encode_picture(3), encode_picture(0)]
    source = write_captioned(tmp_path / "x.parquet", images, [["a"], ["b"], ["c"], None, ["d", "", " "]])
    result = extract("", source, tmp_path / "out", code=3)
    assert (
        result["code"] == "RSF-D007" and result["where"] == "x.parquet row 2" and result["kept"].startswith("1 image ")
    )
    assert "no image" in result["message"] and "--on-bad skip" in result["fix"]
    result = extract(" --on-bad skip", source, tmp_path / "out")
    assert (result["state"], result["rows"], result["images"], result["skipped"]) == ("resumed", 5, 2, 3)
    assert (result["duplicate_images"], result["blank_captions"]) == (1, 2)
    for row, reason in ((2, "no image"), (3, "not an intact"), (4, "no caption")):
        assert any(f"row {row}: " in bad and reason in bad for bad in result["left_out"])
        assert f"warning: left out x.parquet row {row}: " in result["err"]
    assert [r["text"] for r in read_metadata(tmp_path / "out")] == ["a", "d"]
    assert [r["file_name"] for r in read_metadata(tmp_path / "out")] == ["image_000001.jpg", "image_000002.jpg"]


def test_no_good_row_and_no_row_at_all(tmp_path, extract):
    source = write_captioned(tmp_path / "x.parquet", [b"bad"], [["a"]])
    for line in (" --on-bad skip", " --on-bad error --quality 50"):
        assert extract(line, source, tmp_path / "out", code=3)["code"] == "RSF-D007"
        assert read_all(tmp_path / "out") == {}
    result = extract("", write_captioned(tmp_path / "y.parquet", [], []), tmp_path / "none", code=3)
    assert result["code"] == "RSF-D006" and "no rows" in result["message"] and not (tmp_path / "none").exists()
