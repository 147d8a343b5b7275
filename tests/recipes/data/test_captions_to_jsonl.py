from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from rsforge.cli.main import run
from rsforge.data.captions.webdataset import read_samples
from tests.worlds.commands import command
from tests.worlds.published_layouts import save

LINE = "data captions-to-jsonl --caption_file {} --output_file {} --json"


@pytest.fixture
def convert(tmp_path: Path, capsys):
    def call(table: bytes, line: str = "", *paths: object, code: int = 0) -> dict:
        (tmp_path / "captions.txt").write_bytes(table)
        words = command(LINE + line, tmp_path / "captions.txt", tmp_path / "metadata.jsonl", *paths)
        assert run(words) == code
        told = capsys.readouterr()
        return json.loads(told.out if code == 0 else told.err.splitlines()[-1]) | {"err": told.err}

    return call


def test_the_documented_conversion(convert, tmp_path):
    told = convert(b"image_000001.jpg\tThis is a caption for image 1\nimage_000002.jpg\tThis: 'is' \"2\" C:\\new\n")
    assert (told["state"], told["captions"], told["skipped"]) == ("written", 2, 0)
    assert (tmp_path / "metadata.jsonl").read_text() == (
        '{"file_name": "image_000001.jpg", "text": "This is a caption for image 1"}\n'
        '{"file_name": "image_000002.jpg", "text": "This: \'is\' \\"2\\" C:\\\\new"}\n'
    )


def test_bad_lines_are_named_and_refused_or_left_out(convert, tmp_path):
    table = b"a.jpg\tone\nnothing\nb.jpg\t\xff\nc.jpg\tthree\n"
    told = convert(table, code=3)
    assert told["code"] == "RSF-D007" and "line 2: it has no tab; line 3: it is not UTF-8" in told["found"]
    assert not (tmp_path / "metadata.jsonl").exists()
    told = convert(table, " --on-bad skip")
    assert (told["captions"], told["skipped"]) == (2, 2) and "warning: left out line 3" in told["err"]
    assert [json.loads(x)["text"] for x in (tmp_path / "metadata.jsonl").read_text().splitlines()] == ["one", "three"]


def test_names_that_are_no_unicode_are_told(convert):
    table = json.dumps([{"filename": "a\udcff.png", "captions": ["x"]}]).encode()
    told = convert(table, code=3)
    assert told["code"] == "RSF-D007" and "line 1: its file name is no Unicode text" in told["found"]


def test_the_form_of_older_scripts_is_refused_with_a_hint_and_never_run(convert, tmp_path):
    told = convert(b"airport_1.jpg: ['a: b', __import__('os').mkdir('" + bytes(tmp_path) + b"/run')]\n", code=3)
    assert told["code"] == "RSF-D007" and "parquet-to-jsonl" in told["fix"] and not (tmp_path / "run").exists()


def test_nothing_to_convert(convert):
    assert convert(b"\n\n", code=3)["code"] == "RSF-D006"
    assert convert(b"no tab\n", " --on-bad skip", code=3)["code"] == "RSF-D007"


def test_what_is_there_is_left_alone_or_refused(convert, tmp_path):
    convert(b"a.jpg\tone\n")
    before = (tmp_path / "metadata.jsonl").stat().st_mtime_ns
    assert convert(b"a.jpg\tone\n")["state"] == "unchanged"
    assert (tmp_path / "metadata.jsonl").stat().st_mtime_ns == before
    for table in (b"a.jpg\ttwo\n", b"a.jpg\tone\nb.jpg\ttwo\n"):
        assert convert(table, code=2)["code"] == "RSF-U004"
    assert convert(b"a.jpg\ttwo\n", " --overwrite")["state"] == "written"
    assert run(command(LINE, tmp_path / "captions.txt", tmp_path / "captions.txt")) == 2


def test_every_image_must_be_in_its_folder(convert, tmp_path):
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "a.jpg").touch()
    told = convert(b"a.jpg\tone\nb.jpg\ttwo\n", " --images-dir {}", tmp_path / "images", code=3)
    assert told["code"] == "RSF-D007" and "no image 'b.jpg'" in told["found"]
    for name in (b"../captions.txt", b"/etc/passwd"):
        line = b"a.jpg\tone\n" + name + b"\ttwo\n"
        assert convert(line, " --images-dir {}", tmp_path / "images", code=3)["code"] == "RSF-D005"
        told = convert(line, " --images-dir {} --on-bad skip --overwrite", tmp_path / "images")
        assert (told["captions"], told["skipped"]) == (1, 1)


def test_names_that_leave_the_folder_are_refused_without_one_too(convert, tmp_path):
    for name in (b"../a.jpg", b"/etc/passwd", b"C:\\a.jpg"):
        assert convert(name + b"\ttwo\n", code=3)["code"] == "RSF-D005"
        told = convert(b"a.jpg\tone\n" + name + b"\ttwo\n", " --on-bad skip --overwrite")
        assert (told["captions"], told["skipped"]) == (1, 1)


def test_half_a_character_stays_as_it_is(convert, tmp_path):
    convert("a.jpg\t\u241bD800\n".encode())
    assert json.loads((tmp_path / "metadata.jsonl").read_text("utf-8"))["text"] == "\u241bD800"


@pytest.mark.parametrize("kind", ["missing", "pipe", "folder"])
def test_an_input_that_is_no_file_is_refused(tmp_path, capsys, kind):
    path = tmp_path / "captions.txt"
    {"missing": str, "pipe": os.mkfifo, "folder": os.mkdir}[kind](path)
    assert run(command(LINE, path, tmp_path / "out.jsonl")) == 3
    assert json.loads(capsys.readouterr().err)["code"] == "RSF-D006" and not (tmp_path / "out.jsonl").exists()


def test_the_tokenizer_is_not_written_over(convert, tmp_path):
    (tmp_path / "metadata.jsonl").write_text("{}")
    assert (
        convert(b"a.jpg\tone\n", " --overwrite --tokenizer {}", tmp_path / "metadata.jsonl", code=2)["code"]
        == "RSF-U005"
    )


def test_long_captions_are_counted_and_a_plan_writes_nothing(convert, tmp_path):
    told = convert(b"a.jpg\t" + b"word " * 90 + b"\nb.jpg\tshort\n", " --dry-run")["plan"]
    assert told["over_77_tokens"] == 1 and told["captions"] == 2
    assert not (tmp_path / "metadata.jsonl").exists()


def test_a_shard_of_webdataset_holds_the_images_too(tmp_path, capsys):
    for n in range(3):
        save(tmp_path / "in" / f"{n}.png", n)
    (tmp_path / "c.txt").write_text("0.png\ta bay\n1.png\ta port\n0.png\ta beach\n2.png\ta field\n")
    line = "data captions-to-jsonl --caption-file {} --output-file {} --images-dir {} --json"
    paths = tmp_path / "c.txt", tmp_path / "shard.tar", tmp_path / "in"
    told = [json.loads(capsys.readouterr().out) for _ in range(2) if run(command(line, *paths)) == 0]
    assert [one["state"] for one in told] == ["written", "unchanged"] and told[0]["captions"] == 4
    assert [(sample.key, sample.captions) for sample in read_samples(tmp_path / "shard.tar")] == [
        ("0", ["a bay", "a beach"]), ("1", ["a port"]), ("2", ["a field"]),
    ]  # fmt: skip
    back = "data parquet-to-jsonl --parquet-path {} --output-dir {} --resolution 0 --format png --captions all"
    assert run(command(back, tmp_path / "shard.tar", tmp_path / "back")) == 0
    assert len(list((tmp_path / "back" / "rsicd_images").glob("*.png"))) == 3
    (tmp_path / "in" / "1.png").write_bytes(b"another")
    assert run(command(line, *paths)) == 2
    assert "holds something else" in capsys.readouterr().err


def test_a_shard_is_not_written_without_an_image(tmp_path, capsys):
    save(tmp_path / "0.png", 0)
    (tmp_path / "c.txt").write_text("0.png\ta bay\n1.png\ta port\n")
    line = "data captions-to-jsonl --caption-file {} --output-file {} --json"
    assert run(command(line, tmp_path / "c.txt", tmp_path / "s.tar")) == 3
    assert "there is no image '1.png'" in capsys.readouterr().err and not (tmp_path / "s.tar").exists()
    assert run(command(f"{line} --on-bad skip", tmp_path / "c.txt", tmp_path / "s.tar")) == 0
    assert [sample.key for sample in read_samples(tmp_path / "s.tar")] == ["0"]
