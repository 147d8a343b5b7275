"""Rows of Parquet files of images and captions."""

from __future__ import annotations

import base64
import io
import os

import pyarrow as pa
import pyarrow.parquet as pq

from rsforge.data.captions import parquet
from rsforge.data.captions.parquet import find_shards, find_unknown_sides, open_shard, read_rows
from tests.worlds.parquet_tables import IMAGE, assert_refused, shard_rows, structs, write_table


def test_rows_go_on_anywhere_over_groups_and_shards(tmp_path):
    shards = []
    for k, count in enumerate((13, 0, 9)):
        values = [f"{k}-{i}" for i in range(count)]
        images = structs(*(v.encode() for v in values))
        shards.append(
            open_shard(write_table(tmp_path / f"{k}.parquet", image=images, text=pa.array(values, pa.string())))
        )
    every = list(read_rows(shards))
    assert [row.number for row in every] == list(range(22))
    assert every[13].place == "2.parquet row 1" and every[13].captions == ["2-0"]
    for start in range(24):
        assert list(read_rows(shards, start)) == every[start:]


def test_rows_without_image_or_caption_say_so(tmp_path):
    images = pa.array([None, {"bytes": None, "path": None}, {"bytes": b"", "path": None}, {"bytes": b"1"}], IMAGE)
    path = write_table(tmp_path / "x.parquet", image=images, captions=pa.array([["a"], ["a"], ["a"], [None, " "]]))
    assert [row.reason for row in shard_rows(path)] == ["it has no image"] * 3 + ["it has no caption"]
    path = write_table(
        tmp_path / "x.parquet", image=structs(b"1", b"2"), captions=pa.array([None, []], pa.list_(pa.string()))
    )
    assert [row.reason for row in shard_rows(path)] == ["it has no caption"] * 2


def test_captions_that_are_not_utf_8_are_told_by_row(tmp_path):
    bad = pa.Array.from_buffers(pa.string(), 2, pa.array([b"\xff\xfe", b"ok"]).buffers())
    for column in (bad, pa.array([b"\xff\xfe", b"ok"])):
        first, second = shard_rows(write_table(tmp_path / "x.parquet", image=structs(b"1", b"2"), text=column))
        assert "not UTF-8" in first.reason and second.captions == ["ok"]


def test_an_image_may_lie_beside_the_table_but_not_outside(tmp_path):
    (tmp_path / "data" / "images").mkdir(parents=True)
    (tmp_path / "data" / "images" / "a.jpg").write_bytes(b"inside")
    (tmp_path / "secret.jpg").write_bytes(b"outside")
    (tmp_path / "data" / "link.jpg").symlink_to(tmp_path / "secret.jpg")
    names = ["images/a.jpg", "../secret.jpg", str(tmp_path / "secret.jpg"), "link.jpg", "gone.jpg"]
    images = pa.array([{"bytes": None, "path": name} for name in names], IMAGE)
    read = shard_rows(write_table(tmp_path / "data" / "x.parquet", image=images, text=["a"] * 5))
    assert read[0].image == b"inside"
    assert [row.code for row in read[1:4]] == ["RSF-D005"] * 3 and not any(row.image for row in read[1:])
    assert "No such file" in read[4].reason and read[4].code == "RSF-D007"
    path = write_table(tmp_path / "data" / "y.parquet", file=["images/a.jpg"], text=["a"])
    assert shard_rows(path, image="file", captions="text")[0].image == b"inside"
    path = write_table(tmp_path / "data" / "z.parquet", file_name=["images/a.jpg"], text=["a"])
    assert shard_rows(path)[0].image == b"inside"


def test_images_may_stand_as_base64_in_a_text(tmp_path):
    data = bytes(range(256)) * 3
    path = write_table(tmp_path / "x.parquet", image=[base64.b64encode(data).decode()], text=["a"])
    assert shard_rows(path)[0].image == data


def test_a_column_of_sides_that_nobody_understands_is_named(tmp_path):
    for told, unknown in ((["fold1", "fold2"], True), ([0, 1], True), (["train", "x"], False)):
        path = write_table(tmp_path / "x.parquet", image=structs(b"1", b"2"), text=["a", "b"], split=told)
        expected = ("split", [str(value) for value in told]) if unknown else ("", [])
        assert find_unknown_sides(path) == expected


def test_files_are_found_sorted(tmp_path):
    for name in ("b/train-1.parquet", "b/train-0.parquet", "a.parquet", "b/notes.txt"):
        write_table(tmp_path / name, image=structs(b"1"), text=["a"])
    assert [p.name for p in find_shards(str(tmp_path))] == ["a.parquet", "train-0.parquet", "train-1.parquet"]
    assert [p.name for p in find_shards(str(tmp_path / "b" / "train-*.parquet"))] == [
        "train-0.parquet",
        "train-1.parquet",
    ]
    assert find_shards(str(tmp_path / "b" / "notes.txt")) == [tmp_path / "b" / "notes.txt"]
    (tmp_path / "b" / "train-0.parquet").rename(tmp_path / "b" / "TRAIN.PARQUET")
    assert [p.name for p in find_shards(str(tmp_path / "b"))] == ["TRAIN.PARQUET", "train-1.parquet"]
    for place in ("none.parquet", "c/*.parquet", "b/**x"):
        assert_refused(lambda place=place: find_shards(str(tmp_path / place)), "no Parquet file found")


def test_damage_is_told_and_named(tmp_path):
    path = write_table(tmp_path / "x.parquet", image=structs(*(os.urandom(400) for _ in range(9))), text=["a"] * 9)
    data = path.read_bytes()
    for bad in (b"", b"PAR1", data[:-40], data[4:], data[:-60] + bytes(52) + data[-8:]):
        path.write_bytes(bad)
        assert_refused(lambda: shard_rows(path), "x.parquet")
    path.write_bytes(data[:4] + bytes(30) + data[34:])
    assert_refused(lambda: shard_rows(path), "x.parquet")
    os.mkfifo(tmp_path / "pipe.parquet")
    assert_refused(lambda: open_shard(tmp_path / "pipe.parquet"), "not a regular file")


def test_a_flipped_bit_is_found_by_its_checksum(tmp_path):
    path = tmp_path / "x.parquet"
    images = structs(*(bytes([k]) * 300 for k in range(4)))
    pq.write_table(
        pa.table({"image": images, "text": ["a"] * 4}), path, compression="none", write_page_checksum=True,
        use_dictionary=False,
    )  # fmt: skip
    data = bytearray(path.read_bytes())
    data[data.index(b"\2" * 300) + 50] ^= 1
    path.write_bytes(data)
    assert_refused(lambda: shard_rows(path), "CRC checksum")


def test_sizes_are_judged_before_anything_is_read(tmp_path, monkeypatch):
    path = write_table(tmp_path / "x.parquet", image=structs(b"0" * 4000), text=["a"])
    monkeypatch.setattr(parquet, "MAX_BYTES", 1000)
    assert_refused(lambda: open_shard(path), "row group 1 declares", "for 1 rows")


def test_memory_does_not_grow_with_the_file(tmp_path):
    """One row group of 40 MB is read by a fraction of it: pages are the least that can be read."""
    path = tmp_path / "x.parquet"
    columns = pa.table({"image": [os.urandom(20_000) for _ in range(2000)], "text": ["a"] * 2000})
    pq.write_table(columns, path, write_batch_size=16)
    del columns
    assert pq.ParquetFile(path).num_row_groups == 1 and path.stat().st_size > 39_000_000
    before = pa.total_allocated_bytes()
    most = max(pa.total_allocated_bytes() - before for _ in read_rows([open_shard(path)]))
    assert most < 4_000_000


def test_the_digest_follows_the_file(tmp_path):
    one, other = io.BytesIO(), io.BytesIO()
    digests = set()
    for buffer, values in ((one, (b"11", b"2")), (other, (b"1", b"22"))):
        pq.write_table(pa.table({"image": structs(*values), "text": ["a", "b"]}), buffer)
        (tmp_path / "x.parquet").write_bytes(buffer.getvalue())
        digests.add(open_shard(tmp_path / "x.parquet").digest)
    assert len(digests) == 2


def test_a_row_group_far_larger_than_its_bytes_is_refused_from_the_footer(tmp_path):
    """17 kB that are 128 MiB of rows."""
    zeros = structs(*[bytes(16 << 20)] * 8)
    table = pa.table({"image": zeros, "caption": pa.array(["x"] * 8)})
    pq.write_table(table, tmp_path / "a.parquet", compression="zstd", use_dictionary=False)
    assert_refused(lambda: open_shard(tmp_path / "a.parquet"), "row group 1 declares", "compressed already")


def test_rows_of_one_large_dictionary_value_are_read_in_small_batches(tmp_path, monkeypatch):
    """The values of a dictionary are stored once, and each row may name the largest."""
    monkeypatch.setattr(parquet, "MOST_AT_ONCE", 3000)
    path = write_table(tmp_path / "a.parquet", image=structs(*[bytes(range(250)) * 4] * 12), caption=["x"] * 12)
    shard = open_shard(path)
    with pq.ParquetFile(path) as file:
        assert 1 <= parquet._batch_rows(file, shard) < parquet.BATCH
    assert len(shard_rows(path)) == 12


def test_the_images_own_names_are_read_where_their_column_is_named(tmp_path):
    names = pa.array(["rsicd_images/airport_1.jpg", None])
    path = write_table(tmp_path / "x.parquet", image=structs(b"1", b"2"), text=["a", "b"], filename=names)
    assert [row.source for row in shard_rows(path)] == ["", ""]
    assert [row.source for row in shard_rows(path, captions="text", name="filename")] == [names[0].as_py(), ""]
    assert_refused(lambda: open_shard(path, captions="text", name="file"), "'file' is no column", "--name-column")
