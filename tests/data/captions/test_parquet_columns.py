"""Which columns are images and captions."""

from __future__ import annotations

import pyarrow as pa
import pytest

from rsforge.data.captions.parquet import open_shard
from tests.worlds.parquet_tables import assert_refused, shard_rows, structs, write_table


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
        {"image": pa.array(["data:image/png;base64,MQ==", "data:;base64,Mg=="]), "text": pa.array([["a", "b"], ["c"]])},
    ],
)
def test_usual_layouts_are_known(tmp_path, columns):
    read = shard_rows(write_table(tmp_path / "x.parquet", **columns))
    assert [row.image for row in read] == [b"1", b"2"]
    assert [row.captions for row in read] == [["a", "b"], ["c"]]
    assert [(row.number, row.place, row.reason) for row in read] == [
        (0, "x.parquet row 1", ""),
        (1, "x.parquet row 2", ""),
    ]


def test_one_caption_may_be_text_or_bytes_or_a_category(tmp_path):
    for column in (pa.array(["a: 'b'"]), pa.array([b"a: 'b'"]), pa.array(["a: 'b'"]).dictionary_encode()):
        path = write_table(tmp_path / "x.parquet", image=structs(b"1"), caption=column)
        assert shard_rows(path)[0].captions == ["a: 'b'"]


def test_columns_of_unknown_meaning_must_be_named(tmp_path):
    path = write_table(tmp_path / "x.parquet", png=[b"1"], jpg=[b"2"], title=["a"], label=[3])
    assert_refused(lambda: open_shard(path), "more than one column", "png", "--image-column")
    assert_refused(lambda: open_shard(path, image="jpg"), "no column of captions", "title", "--caption-column")
    assert_refused(lambda: open_shard(path, image="jpg", captions="name"), "'name' is no column of captions")
    assert_refused(lambda: open_shard(path, image="jpg", captions="label"), "'label' is no column of captions")
    (row,) = shard_rows(path, image="jpg", captions="title")
    assert (row.image, row.captions) == (b"2", ["a"])


def test_only_needed_columns_are_read(tmp_path):
    image = pa.array([{"bytes": b"1", "path": "p", "thumb": b"t"}])
    shard = open_shard(write_table(tmp_path / "x.parquet", image=image, text=["a"], other=[b"o"]))
    assert shard.leaves == ("image.bytes", "image.path", "text")
