from __future__ import annotations

import errno
import json
from pathlib import Path

import pytest

from rsforge import durable
from rsforge.data.captions.image_folder import CaptionFolder
from rsforge.data.captions.token_counts import count_at_least
from rsforge.errors import RsforgeError

SOURCE = {"settings": {"images_dir": "images", "caption_file": "captions.txt"}}


def folder(root: Path, mode="first") -> CaptionFolder:
    made = CaptionFolder(root, root / "images", root / "captions.txt", mode, SOURCE)
    made.begin()
    return made


def commit(own: CaptionFolder, *names: str) -> None:
    temporaries = [own.images / f".tmp-1-{name}" for name in names]
    for path in temporaries:
        path.write_bytes(b"picture")
    own.commit_chunk([{"file": name, "texts": [name, "more"], "digest": len(name)} for name in names], temporaries)


def test_summary_and_tables(tmp_path: Path):
    own = folder(tmp_path, "all")
    commit(own, "image_000001.jpg", "image_000002.jpg")
    own.commit_chunk([{"bad": "row 3: no image"}], [])
    summary = own.write_tables(count_at_least)
    assert (summary.rows, summary.images, summary.captions, summary.skipped) == (3, 2, 4, 1)
    assert summary.duplicate_images == 1 and summary.bad == ["row 3: no image"]
    lines = [json.loads(line) for line in own.metadata.read_text().splitlines()]
    assert lines[1] == {"file_name": "image_000002.jpg", "text": ["image_000002.jpg", "more"]}
    assert (own.images / "metadata.jsonl").read_bytes() == own.metadata.read_bytes()
    own.finish(summary)
    assert own.read_state()["finished"] and not own.rows.exists() and own.is_complete(own.read_state())
    for path in (own.images / "image_000001.jpg", own.table):
        whole = path.read_bytes()
        path.write_bytes(whole[:1])
        assert not own.is_complete(own.read_state())
        path.unlink()
        assert not own.is_complete(own.read_state())
        path.write_bytes(whole)
        assert own.is_complete(own.read_state())


def test_sources_may_have_names_of_any_bytes(tmp_path: Path):
    own = folder(tmp_path)
    (own.images / ".tmp-1-a.jpg").write_bytes(b"picture")
    record = {"file": "a.jpg", "texts": ["a"], "digest": 1, "source": "\udcff.jpg"}
    own.commit_chunk([record], [own.images / ".tmp-1-a.jpg"])
    own.write_tables(count_at_least)
    assert json.loads(own.metadata.read_text("utf-8"))["source"] == "\udcff.jpg"


def test_a_cut_line_is_taken_away(tmp_path: Path):
    own = folder(tmp_path)
    commit(own, "image_000001.jpg")
    with own.rows.open("ab") as file:
        file.write(b'{"file": "image_0000')
    assert len(list(own.read_records())) == 1
    own.drop_partial_line()
    commit(own, "image_000002.jpg")
    assert [r["file"] for r in own.read_records()] == ["image_000001.jpg", "image_000002.jpg"]


@pytest.mark.parametrize("operation", ["fsync", "rename", "fsync folder", "append"])
def test_a_chunk_is_there_whole_or_not_at_all(tmp_path: Path, monkeypatch, operation):
    own = folder(tmp_path)
    commit(own, "image_000001.jpg")

    def full(now: str) -> None:
        if now == operation:
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(durable, "before_operation", full)
    with pytest.raises(OSError):
        commit(own, "image_000002.jpg")
    assert [p.name for p in own.images.glob("image*")] == ["image_000001.jpg"]
    assert [r["file"] for r in own.read_records()] == ["image_000001.jpg"]


def test_damaged_records_are_refused(tmp_path: Path):
    own = folder(tmp_path)
    own.rows.write_bytes(b"{nonsense}\n")
    with pytest.raises(RsforgeError) as caught:
        list(own.read_records())
    assert caught.value.code == "RSF-D006" and ".extraction.jsonl" in caught.value.what
    for text in ("{", "[]", '{"summary": 1}', '{"source": 1}'):
        (tmp_path / "extraction.json").write_text(text)
        with pytest.raises(RsforgeError) as caught:
            own.read_state()
        assert caught.value.code == "RSF-D006"


def test_clearing_leaves_what_is_not_its_own(tmp_path: Path):
    own = folder(tmp_path)
    commit(own, "image_000001.jpg")
    own.write_tables(count_at_least)
    own.finish(own.write_tables(count_at_least))
    others = ["holiday.jpg", "image_000002.jpg", "image_000009.gif", "image_1.jpg"]
    for name in others:
        (own.images / name).touch()
    assert own.find_foreign() == others
    own.clear()
    assert sorted(p.name for p in own.images.iterdir()) == others
    assert sorted(p.name for p in tmp_path.iterdir()) == ["images"]


def test_clearing_follows_the_record_to_other_names(tmp_path: Path):
    before = CaptionFolder(
        tmp_path, tmp_path / "old", tmp_path / "old.txt", "first",
        {"settings": {"images_dir": "old", "caption_file": "old.txt"}},
    )  # fmt: skip
    before.begin()
    commit(before, "image_000001.jpg")
    before.write_tables(count_at_least)
    CaptionFolder(tmp_path, tmp_path / "new", tmp_path / "new.txt", "first", SOURCE).clear()
    assert [p.name for p in tmp_path.rglob("*")] == ["old"]
