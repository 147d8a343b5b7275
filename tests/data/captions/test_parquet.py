from __future__ import annotations

import io
import os
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from rsforge.data.captions import parquet
from rsforge.data.captions.parquet import find_shards, open_shard, read_rows
from rsforge.errors import RsforgeError

IMAGE = pa.struct({"bytes": pa.binary(), "path": pa.string()})


def table(path: Path, **columns) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table(columns), path, row_group_size=5)
    return path


def rows(path: Path, start: int = 0, **given):
    return list(read_rows([open_shard(path, **given)], start))


def refused(call, *parts: str) -> RsforgeError:
    with pytest.raises(RsforgeError) as caught:
        call()
    assert caught.value.code == "RSF-D006"
    told = f"{caught.value.what} {caught.value.found} {caught.value.fix}"
    assert all(part in told for part in parts), told
    return caught.value


def structs(*values: bytes | None) -> pa.Array:
    return pa.array([{"bytes": v, "path": None} for v in values], IMAGE)


@pytest.mark.parametrize(
    "columns",
    [
        {"image": structs(b"1", b"2"), "captions": pa.array([["a", "b"], ["c"]]), "filename": ["x", "y"]},
        {"image": structs(b"1", b"2"), "caption": pa.array([["a", "b"], ["c"]], pa.large_list(pa.large_string()))},
        {"image.bytes": pa.array([b"1", b"2"]), "text": pa.array([["a", "b"], ["c"]])},
        {"img": pa.array([b"1", b"2"], pa.large_binary()), "sentences": pa.array([["a", "b"], ["c"]])},
        {"jpg": pa.array([b"1", b"2"]), "meta": pa.array([b"m", b"m"]), "prompt": pa.array([["a", "b"], ["c"]])},
        {"image": structs(b"1", b"2"), "sentences": pa.array([[{"raw": "a"}, {"raw": "b"}], [{"raw": "c"}]])},
        {"only": pa.array([b"1", b"2"]), "words": pa.array([["a", "b"], ["c"]])},
    ],
)
def test_usual_layouts_are_known(tmp_path, columns):
    read = rows(table(tmp_path / "x.parquet", **columns))
    assert [row.image for row in read] == [b"1", b"2"]
    assert [row.captions for row in read] == [["a", "b"], ["c"]]
    assert [(row.number, row.place, row.reason) for row in read] == [
        (0, "x.parquet row 1", ""),
        (1, "x.parquet row 2", ""),
    ]


def test_one_caption_may_be_text_or_bytes_or_a_category(tmp_path):
    for column in (pa.array(["a: 'b'"]), pa.array([b"a: 'b'"]), pa.array(["a: 'b'"]).dictionary_encode()):
        path = table(tmp_path / "x.parquet", image=structs(b"1"), caption=column)
        assert rows(path)[0].captions == ["a: 'b'"]


def test_columns_that_do_not_tell_themselves_must_be_named(tmp_path):
    path = table(tmp_path / "x.parquet", png=[b"1"], jpg=[b"2"], title=["a"], label=[3])
    refused(lambda: open_shard(path), "more than one column", "png", "--image-column")
    refused(lambda: open_shard(path, image="jpg"), "no column of captions", "title", "--caption-column")
    refused(lambda: open_shard(path, image="jpg", captions="name"), "'name' is no column of captions")
    refused(lambda: open_shard(path, image="jpg", captions="label"), "'label' is no column of captions")
    (row,) = rows(path, image="jpg", captions="title")
    assert (row.image, row.captions) == (b"2", ["a"])


def test_only_needed_columns_are_read(tmp_path):
    image = pa.array([{"bytes": b"1", "path": "p", "thumb": b"t"}])
    shard = open_shard(table(tmp_path / "x.parquet", image=image, text=["a"], other=[b"o"]))
    assert shard.leaves == ("image.bytes", "image.path", "text")


def test_rows_go_on_anywhere_over_groups_and_shards(tmp_path):
    shards = []
    for k, count in enumerate((13, 0, 9)):
        values = [f"{k}-{i}" for i in range(count)]
        images = structs(*(v.encode() for v in values))
        shards.append(open_shard(table(tmp_path / f"{k}.parquet", image=images, text=pa.array(values, pa.string()))))
    every = list(read_rows(shards))
    assert [row.number for row in every] == list(range(22))
    assert every[13].place == "2.parquet row 1" and every[13].captions == ["2-0"]
    for start in range(24):
        assert list(read_rows(shards, start)) == every[start:]


def test_rows_without_image_or_caption_say_so(tmp_path):
    images = pa.array([None, {"bytes": None, "path": None}, {"bytes": b"", "path": None}, {"bytes": b"1"}], IMAGE)
    path = table(tmp_path / "x.parquet", image=images, captions=pa.array([["a"], ["a"], ["a"], [None, " "]]))
    assert [row.reason for row in rows(path)] == ["it has no image"] * 3 + ["it has no caption"]
    path = table(
        tmp_path / "x.parquet", image=structs(b"1", b"2"), captions=pa.array([None, []], pa.list_(pa.string()))
    )
    assert [row.reason for row in rows(path)] == ["it has no caption"] * 2


def test_captions_that_are_not_utf_8_are_told_by_row(tmp_path):
    bad = pa.Array.from_buffers(pa.string(), 2, pa.array([b"\xff\xfe", b"ok"]).buffers())
    for column in (bad, pa.array([b"\xff\xfe", b"ok"])):
        first, second = rows(table(tmp_path / "x.parquet", image=structs(b"1", b"2"), text=column))
        assert "not UTF-8" in first.reason and second.captions == ["ok"]


def test_an_image_may_lie_beside_the_table_but_not_outside(tmp_path):
    (tmp_path / "data" / "images").mkdir(parents=True)
    (tmp_path / "data" / "images" / "a.jpg").write_bytes(b"inside")
    (tmp_path / "secret.jpg").write_bytes(b"outside")
    (tmp_path / "data" / "link.jpg").symlink_to(tmp_path / "secret.jpg")
    names = ["images/a.jpg", "../secret.jpg", str(tmp_path / "secret.jpg"), "link.jpg", "gone.jpg"]
    images = pa.array([{"bytes": None, "path": name} for name in names], IMAGE)
    read = rows(table(tmp_path / "data" / "x.parquet", image=images, text=["a"] * 5))
    assert read[0].image == b"inside"
    assert [row.code for row in read[1:4]] == ["RSF-D005"] * 3 and not any(row.image for row in read[1:])
    assert "No such file" in read[4].reason and read[4].code == "RSF-D007"
    path = table(tmp_path / "data" / "y.parquet", file=["images/a.jpg"], text=["a"])
    assert rows(path, image="file", captions="text")[0].image == b"inside"


def test_files_are_found_sorted(tmp_path):
    for name in ("b/train-1.parquet", "b/train-0.parquet", "a.parquet", "b/notes.txt"):
        table(tmp_path / name, image=structs(b"1"), text=["a"])
    assert [p.name for p in find_shards(str(tmp_path))] == ["a.parquet", "train-0.parquet", "train-1.parquet"]
    assert [p.name for p in find_shards(str(tmp_path / "b" / "train-*.parquet"))] == [
        "train-0.parquet",
        "train-1.parquet",
    ]
    assert find_shards(str(tmp_path / "b" / "notes.txt")) == [tmp_path / "b" / "notes.txt"]
    (tmp_path / "b" / "train-0.parquet").rename(tmp_path / "b" / "TRAIN.PARQUET")
    assert [p.name for p in find_shards(str(tmp_path / "b"))] == ["TRAIN.PARQUET", "train-1.parquet"]
    for place in ("none.parquet", "c/*.parquet", "b/**x"):
        refused(lambda place=place: find_shards(str(tmp_path / place)), "no Parquet file found")


def test_damage_is_told_and_named(tmp_path):
    path = table(tmp_path / "x.parquet", image=structs(*(os.urandom(400) for _ in range(9))), text=["a"] * 9)
    data = path.read_bytes()
    for bad in (b"", b"PAR1", data[:-40], data[4:], data[:-60] + bytes(52) + data[-8:]):
        path.write_bytes(bad)
        refused(lambda: rows(path), "x.parquet")
    path.write_bytes(data[:4] + bytes(30) + data[34:])
    refused(lambda: rows(path), "x.parquet")
    os.mkfifo(tmp_path / "pipe.parquet")
    refused(lambda: open_shard(tmp_path / "pipe.parquet"), "not a regular file")


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
    refused(lambda: rows(path), "CRC checksum")


def test_sizes_are_judged_before_anything_is_read(tmp_path, monkeypatch):
    path = table(tmp_path / "x.parquet", image=structs(b"0" * 4000), text=["a"])
    monkeypatch.setattr(parquet, "MAX_BYTES", 1000)
    refused(lambda: open_shard(path), "row group 1 declares", "for 1 rows")


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
