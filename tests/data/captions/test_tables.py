from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rsforge.data.captions.tables import (
    MAX_LINE,
    choose_captions,
    collect_texts,
    escape,
    json_line,
    read_lines,
    split_captions,
    table_line,
    unescape,
)
from rsforge.errors import RsforgeError

ODD = [
    "a\ttab and\nlines\r\nand\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029 more",
    'quotes " and \' and: {"code": [1, 2]}',
    "back\\slash \\n \\t \\u0041 C:\\new",
    "NUL \0 end",
    "\u241b000A is no line, \u241b alone, \u241b\u241b",
    "  spaces kept  ",
    "東京 🛰️ é e\u0301 \u202e \ufeff",
]
ANY = st.text(st.characters(exclude_categories=["Cs"]))


@settings(max_examples=300, deadline=None)
@given(st.one_of(ANY, st.text("\\ntr0x\u241b09AFaf\t\n\r\0")))
def test_escaping_is_undone_exactly_and_leaves_one_line(text):
    assert unescape(escape(text)) == text
    assert "\t" not in escape(text) and "\0" not in escape(text)
    assert len(f"x{escape(text)}".splitlines()) == 1


@pytest.mark.parametrize("text", ["a river .", "C:\\new\\table", "print('a\\n')", 'it\'s "big": 50 %'])
def test_ordinary_captions_stand_as_they_are(text):
    assert table_line("image_000001.jpg", text) == f"image_000001.jpg\t{text}\n"


def test_lines_come_back_as_they_went(tmp_path: Path):
    path = tmp_path / "captions.txt"
    path.write_bytes("".join(table_line(f"{k}.jpg", text) for k, text in enumerate(ODD)).encode())
    lines = list(read_lines(path))
    assert [line.text for line in lines] == ODD
    assert [line.name for line in lines] == [f"{k}.jpg" for k in range(len(ODD))]
    assert not any(line.reason for line in lines)


@pytest.mark.parametrize("text", ODD)
def test_json_lines_hold_captions_exactly(text):
    line = json_line("a.jpg", text)
    assert line.endswith("\n") and line.count("\n") == 1
    assert json.loads(line) == {"file_name": "a.jpg", "text": text}


@pytest.mark.parametrize("text", ["\u241bD800", "\u241b0041", "\u241b24"])
def test_what_escaping_never_writes_stays_as_it_is(text):
    assert unescape(text) == text and unescape(escape(text)) == text


def test_lines_that_are_no_captions_say_why(tmp_path: Path):
    path = tmp_path / "captions.txt"
    path.write_bytes(
        b"\xef\xbb\xbfa.jpg\tfine\r\n\nno tab here\n\tno name\nb.jpg\t \nc.jpg\t\xff\nd.jpg: ['x: y', 'z']\n"
        b"e.jpg\tlast, without an end"
    )
    lines = {line.number: (line.name, line.reason) for line in read_lines(path)}
    assert lines[1] == ("a.jpg", "") and lines[8] == ("e.jpg", "")
    assert "no tab" in lines[3][1] and "no file name" in lines[4][1] and "no caption" in lines[5][1]
    assert "UTF-8 (byte 7)" in lines[6][1] and "older scripts" in lines[7][1] and 2 not in lines


def test_a_line_without_end_is_refused_before_it_fills_the_memory(tmp_path: Path):
    path = tmp_path / "captions.txt"
    path.write_bytes(b"a.jpg\tx\n" + b"b" * (MAX_LINE + 2))
    with pytest.raises(RsforgeError) as caught:
        list(read_lines(path))
    assert caught.value.code == "RSF-D006" and "line 2" in caught.value.found


@pytest.mark.parametrize(
    ("cell", "found"),
    [
        (None, []),
        ("one", ["one"]),
        (b"one", ["one"]),
        (["a", None, "b"], ["a", "", "b"]),
        ([{"raw": "a", "tokens": ["a"]}, {"tokens": []}], ["a", ""]),
        ("['not', 'a list']", ["['not', 'a list']"]),
        ([{"tokens": ["many", "houses"]}], ["many houses"]),
    ],
)
def test_captions_in_any_cell(cell, found):
    assert collect_texts(cell) == found


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ('[{"raw": "a ."}, {"raw": "b ."}]', ["a .", "b ."]),
        ('{"captions": ["a", "b"]}', ["a", "b"]),
        ('{"area": 3}', []),
        ("[a] river", []),
        ("{broken", []),
    ],
)
def test_captions_that_stand_as_json_in_a_text(text, found):
    assert split_captions(text) == found


def test_the_choice_among_captions():
    five = list("abcde")
    assert choose_captions(five, "first", seed=0, row=3) == ["a"]
    assert choose_captions(five, "join", seed=0, row=3) == ["a b c d e"]
    assert choose_captions(five, "all", seed=0, row=3) == choose_captions(five, "rows", seed=0, row=3) == five
    drawn = [choose_captions(five, "random", seed=1, row=row)[0] for row in range(200)]
    assert drawn == [choose_captions(five, "random", seed=1, row=row)[0] for row in range(200)]
    assert set(drawn) == set(five) and drawn != [
        choose_captions(five, "random", seed=2, row=row)[0] for row in range(200)
    ]
