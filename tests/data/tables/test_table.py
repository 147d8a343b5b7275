"""Tables with other separators, quotes and headings."""

from __future__ import annotations

import pytest

from rsforge.data.tables.table import find_column, find_separator, read_table, read_text, split_rows
from rsforge.errors import RsforgeError


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
def test_the_separator_is_found_beside_others_in_cells(tmp_path, separator):
    path = tmp_path / "t.csv"
    rows = [
        ["name", "place"],
        ["a.png", '"(9.5, 48.1); | x"' if separator != "\t" else "(9.5, 48.1); | x"],
        ["b.png", ""],
    ]
    path.write_text("\r\n".join(separator.join(row) for row in rows), newline="")
    table = read_table(path)
    assert table.columns == ("name", "place") and table.rows[0] == (2, ["a.png", "(9.5, 48.1); | x"])
    assert [dict(record)["place"] for _, record in table.records()] == ["(9.5, 48.1); | x", ""]
    assert (table.sentence == "") == (separator == ",")


def test_what_was_taken_is_said_in_one_sentence(tmp_path):
    path = tmp_path / "t.csv"
    path.write_bytes("name;place\na;Côte\n".encode("cp1252"))
    assert read_table(path).sentence == "t.csv is read as Windows-1252 with columns separated by semicolons"
    path.write_bytes("name,place\na,Côte\n".encode("utf-16"))
    assert read_table(path).sentence == "t.csv is read as UTF-16"


def test_short_rows_and_no_rows(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("a,b,c\n1\n\n2,3,4,5\n")
    assert [record for _, record in read_table(path).records()] == [
        {"a": "1", "b": "", "c": ""},
        {"a": "2", "b": "3", "c": "4"},
    ]
    path.write_text("")
    assert read_table(path).columns == () and find_separator("") == ","


def test_quotes_hold_line_ends_unless_they_are_letters():
    assert list(split_rows('a,"b\nc"\n', ",")) == [(2, ["a", "b\nc"])]
    assert list(split_rows('a,"b\nc,d\n', ",", quotes=False)) == [(1, ["a", '"b']), (2, ["c", "d"])]


def test_files_that_are_no_text_are_refused_with_what_to_do(tmp_path):
    for name, data, why in (("a.csv", "机场,港口".encode("gbk"), "as it seems"), ("b.csv", b"port\x81", "neither")):
        (tmp_path / name).write_bytes(data)
        with pytest.raises(RsforgeError, match=why) as caught:
            read_text(tmp_path / name)
        assert caught.value.code == "RSF-D006" and "iconv" in caught.value.fix
    with pytest.raises(RsforgeError, match="no such file"):
        read_text(tmp_path / "none.csv")


def test_columns_are_found_however_they_are_written():
    assert find_column(["Image Name", "Text"], ("file_name", "image_name")) == "Image Name"
    assert find_column(["S1_FILENAME"], ("s1_fileName",)) == "S1_FILENAME" and find_column(["x"], ("y",)) is None
