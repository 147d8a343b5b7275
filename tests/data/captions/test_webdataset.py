"""Tars of WebDataset."""

from __future__ import annotations

import io
import json
import tarfile

import pytest

from rsforge.data.captions.parquet import find_shards, open_shard, read_rows
from rsforge.data.captions.webdataset import measure_tar, read_samples, refuse_tars
from rsforge.errors import RsforgeError
from tests.worlds.published_layouts import encode, save, webdataset, write_tar


def test_samples_are_members_of_one_name(tmp_path):
    path = webdataset(tmp_path / "shard-000000.tar")
    samples = list(read_samples(path))
    assert [(s.key, s.captions, s.reason) for s in samples] == [(f"000{n}", [f"caption {n}"], "") for n in range(3)]
    assert samples[1].image == encode(1) and measure_tar(path)[0] == 3


def test_rows_go_on_from_any_number(tmp_path):
    shards = [open_shard(path) for path in find_shards(str(webdataset(tmp_path / "train-000.tar").parent))]
    assert [row.number for row in read_rows(shards, 1)] == [1, 2] and shards[0].rows == 3
    assert {row.side for row in read_rows(shards)} == {"train"}


def test_texts_may_stand_in_json_with_a_side(tmp_path):
    path = write_tar(tmp_path / "a.tar", {
        "x/1.png": encode(1), "x/1.json": json.dumps({"caption": "a pier", "split": "val"}).encode(),
        "x/2.jpg": encode(2), "x/2.cls": b"3", "x/3.txt": "forêt".encode("cp1252"), "x/4.png": encode(4),
        "x/4.json": b"{", "._5.png": b"left by a Mac", "x/6.png": encode(6), "x/6.webp": encode(6), "x/6.txt": b"t",
    })  # fmt: skip
    found = {s.key: (s.captions, s.side, s.reason) for s in read_samples(path)}
    assert found["x/1"] == (["a pier"], "val", "") and found["x/2"][0] == []
    assert found["x/3"] == (["forêt"], "", "it has no image") and "text" in found["x/4"][2]
    assert "2 images" in found["x/6"][2] and len(found) == 5
    reasons = [row.reason for row in read_rows([open_shard(path)])]
    assert reasons[:2] == ["", "it has no caption"]


def test_names_with_more_dots_are_read_where_they_leave_no_doubt(tmp_path):
    dotted = {f"a/scene_1.5m.{n}.{kind}": data for n in (1, 2) for kind, data in (("jpg", encode(n)), ("txt", b"t"))}
    path = write_tar(tmp_path / "a.tar", dotted | {
        "7.input.png": encode(3), "7.caption.txt": b"in two words", "8.jpg": encode(4), "8.mask.png": encode(5),
        "8.txt": b"plain", "8.negative.txt": b"no caption", "9.image.png": encode(6), "9.mask.png": encode(7),
        "9.txt": b"t",
    })  # fmt: skip
    found = {s.key: (s.captions, s.image, s.reason) for s in read_samples(path)}
    assert found["a/scene_1.5m.1"] == (["t"], encode(1), "") and found["a/scene_1.5m.2"][1] == encode(2)
    assert found["7"] == (["in two words"], encode(3), "") and found["8"] == (["plain"], encode(4), "")
    assert "2 images" in found["9"][2] and len(found) == measure_tar(path)[0] == 5


def test_folders_of_members_state_their_sides(tmp_path):
    members = {f"{side}/{n}.{kind}": data for side in ("train", "test") for n in (1, 2)
               for kind, data in (("jpg", encode(n)), ("txt", b"t"))}  # fmt: skip
    rows = list(read_rows([open_shard(write_tar(tmp_path / "a.tar", members))]))
    assert [row.side for row in rows] == ["train", "train", "test", "test"]


def test_damaged_compressed_and_empty_tars_are_refused(tmp_path):
    path = webdataset(tmp_path / "a.tar")
    whole = path.read_bytes()
    for data in (whole[:700], b"no tar", b"", whole[:512] + b"\xff" * 512):
        path.write_bytes(data)
        with pytest.raises(RsforgeError) as caught:
            list(read_samples(path))
            measure_tar(path)
        assert caught.value.code == "RSF-D006"
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w:gz"):
        pass
    path.write_bytes(file.getvalue())
    with pytest.raises(RsforgeError, match="damaged or compressed"):
        measure_tar(path)


def test_tars_elsewhere_are_refused_with_the_command_that_reads_them(tmp_path):
    path = webdataset(tmp_path / "set" / "a.tar")
    for place in (path, path.parent):
        with pytest.raises(RsforgeError, match=r"a\.tar is a tar") as caught:
            refuse_tars(place)
        assert f"--parquet-path {place}" in caught.value.fix
    save(path.parent / "1.png", 1)
    refuse_tars(path.parent)
    refuse_tars(tmp_path / "none")


def test_a_compressed_tar_is_named_with_what_unpacks_it(tmp_path):
    (tmp_path / "a.tar.gz").touch()
    with pytest.raises(RsforgeError) as caught:
        find_shards(str(tmp_path))
    assert f"gunzip -k {tmp_path / 'a.tar.gz'}" in caught.value.fix
