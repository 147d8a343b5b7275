"""Tables of captions beside images."""

from __future__ import annotations

import json

import pytest

from rsforge.data.captions.metadata import (
    MAX_LINE,
    CaptionRow,
    describe_table,
    find_inner_tables,
    find_metadata,
    name_below,
    read_metadata,
    read_names,
)
from rsforge.errors import RsforgeError
from tests.worlds.parquet_tables import write_table


def write(path, *lines):
    path.write_text("".join(line + "\n" for line in lines), "utf-8")
    return path


def test_the_table_lies_in_the_folder_or_its_parent(tmp_path):
    folder = tmp_path / "images"
    folder.mkdir()
    with pytest.raises(RsforgeError) as raised:
        find_metadata(folder)
    assert raised.value.code == "RSF-D006" and "parquet-to-jsonl" in raised.value.fix
    above = write(tmp_path / "metadata.jsonl")
    assert find_metadata(folder) == [above]
    own = write(folder / "metadata.jsonl")
    assert find_metadata(folder) == [own]


def test_captions_are_a_text_or_a_list_of_texts(tmp_path):
    rows = read_metadata(write(
        tmp_path / "metadata.jsonl",
        json.dumps({"file_name": "a.png", "text": " a field "}), "",
        json.dumps({"file_name": "b.png", "text": ["x: 'y'", "", None, "x: 'y'", "z"]}),
        json.dumps({"file_name": "c.png", "text": None}), "[1, 2]", "{broken", json.dumps({"text": "x"}),
    ))  # fmt: skip
    assert [row.number for row in rows] == [1, 3, 4, 5, 6, 7]
    assert rows[0][1:] == ("a.png", ("a field",), "", "") and rows[1].texts == ("x: 'y'", "z")
    assert rows[2].reason == "it has no caption"
    assert {row.reason for row in rows[3:]} == {"it is no JSON object with a file_name"}


def test_half_a_surrogate_pair_is_no_caption(tmp_path):
    captions = ["a \ud800 b", ["fine", "\udfff"], "\U0001f6f0"]
    lines = [json.dumps({"file_name": "a.png", "text": text}) for text in captions]
    rows = read_metadata(write(tmp_path / "metadata.jsonl", *lines))
    assert [row.reason for row in rows] == ["its caption is no Unicode text"] * 2 + [""]


def test_another_column_is_named_and_missing_ones_are_told(tmp_path):
    path = write(tmp_path / "metadata.jsonl", json.dumps({"file_name": "a.png", "caption": "x", "split": "train"}))
    assert read_metadata(path, "caption")[0].texts == ("x",)
    with pytest.raises(RsforgeError) as raised:
        read_metadata(path)
    assert "no column text" in raised.value.what and "caption, split" in raised.value.found
    path.write_bytes(b"x" * (MAX_LINE + 2))
    with pytest.raises(RsforgeError, match="more than 16,777,216 bytes"):
        read_metadata(path)


def test_a_table_that_names_no_image_says_what_it_lacks(tmp_path):
    path = tmp_path / "metadata.jsonl"
    cases = [
        ('{"file_name": "a.png", "text": "prés"}\n'.encode("latin-1") * 2, "it is not UTF-8", "", "save it as UTF-8"),
        (b'{"image": "a.png", "text": "x"}\n' * 2, "no column file_name", "columns image, text", "under file_name"),
        (b"[1]\n", "no column file_name", "no JSON objects", "captions-to-jsonl"),
    ]
    for data, what, found, fix in cases:
        path.write_bytes(data)
        with pytest.raises(RsforgeError, match=what) as raised:
            read_metadata(path)
        assert raised.value.code == "RSF-D006" and raised.value.found == found and fix in raised.value.fix
    path.write_bytes(cases[0][0] + b'{"file_name": "a.png", "text": "x"}\n')
    assert [row.reason for row in read_metadata(path)] == ["it is not UTF-8"] * 2 + [""]


def test_names_are_written_from_the_images_or_from_the_table(tmp_path):
    folder = tmp_path / "data" / "images"
    folder.mkdir(parents=True)
    (folder / "a.png").touch()
    for name in ("a.png", "./a.png", "images/a.png", "images\\a.png"):
        assert name_below(folder, tmp_path / "data" / "metadata.jsonl", name, where="x") == "a.png"
    assert name_below(folder, folder / "metadata.jsonl", "sub/b.png", where="x") == "sub/b.png"
    for name in ("../../x.png", "/etc/passwd", "C:/x.png", ""):
        with pytest.raises(RsforgeError) as raised:
            name_below(folder, folder / "metadata.jsonl", name, where="metadata.jsonl:1")
        assert raised.value.code == "RSF-D005"


@pytest.mark.parametrize("text", ["file_name,text,split\na.png,x,train\n", "split;text;file_name\ntrain;x;a.png\n"])
def test_tables_of_the_datasets_library_are_read_too(tmp_path, text):
    (tmp_path / "metadata.csv").write_text(text, "utf-8-sig")
    (path,) = find_metadata(tmp_path)
    assert read_metadata(path) == read_names(path) == [CaptionRow(2, "a.png", ("x",), "", "train")]
    path.write_text("image_path,text\nx,y\n")
    with pytest.raises(RsforgeError, match="no column file_name"):
        read_metadata(path)


def test_folders_of_sides_have_tables_of_their_own(tmp_path):
    for side in ("test", "train"):
        (tmp_path / side).mkdir()
        (tmp_path / side / "metadata.csv").write_text("file_name,text\na.png,x\n")
    assert [path.parent.name for path in find_metadata(tmp_path)] == ["test", "train"]
    write(tmp_path / "metadata.jsonl")
    assert find_metadata(tmp_path) == [tmp_path / "metadata.jsonl"] and find_inner_tables(tmp_path) == []
    assert describe_table(tmp_path / "metadata.jsonl") == ""


def test_the_table_may_be_parquet(tmp_path):
    columns = {
        "file_name": ["a.png", "b.png"],
        "text": [["x", "y"], ["z"]],
        "split": ["train", "dev"],
        "thumb": [b"1", b"2"],
    }
    write_table(tmp_path / "metadata.parquet", **columns)
    (table,) = find_metadata(tmp_path)
    assert read_metadata(table) == [
        CaptionRow(1, "a.png", ("x", "y"), "", "train"),
        CaptionRow(2, "b.png", ("z",), "", "val"),
    ]
    assert read_names(table)[0].texts == ("x", "y") and describe_table(table) == ""
    (tmp_path / "metadata.parquet").write_bytes(b"PAR1 damaged")
    with pytest.raises(RsforgeError, match="it cannot be read"):
        read_metadata(table)


def test_a_table_of_names_alone_is_said_to_be_one(tmp_path):
    (tmp_path / "metadata.jsonl").write_text('{"file_name": "a.png"}\n')
    with pytest.raises(RsforgeError, match="no column text") as caught:
        read_metadata(tmp_path / "metadata.jsonl")
    assert caught.value.found == "no column but file_name"
