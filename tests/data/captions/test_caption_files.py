"""Captions in files of every usual form."""

from __future__ import annotations

import pytest

from rsforge.data.captions.caption_files import read_caption_file
from rsforge.errors import RsforgeError
from tests.worlds.published_layouts import karpathy

WANTED = [("a.jpg", "une forêt"), ("b.jpg", "houses, many; so")]


def captions_of(path):
    return [(line.name, line.text) for line in read_caption_file(path).lines if not line.reason]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
@pytest.mark.parametrize(
    "text",
    [
        "a.jpg\tune forêt\nb.jpg\thouses, many; so\n",
        "file_name\ttext\r\na.jpg\tune forêt\r\nb.jpg\thouses, many; so\r\n",
        'image,caption\na.jpg,une forêt\nb.jpg,"houses, many; so"\n',
        'id;split;Filename;Caption\n1;train;a.jpg;une forêt\n2;train;b.jpg;"houses, many; so"\n',
        ',filename,raw\n0,a.jpg,une forêt\n1,b.jpg,"houses, many; so"\n',
        "a.jpg, une forêt\nb.jpg, houses, many; so\n",
        "a.jpg#0\tune forêt\nb.jpg#3\thouses, many; so\n",
        "Bild\tBeschreibung\na.jpg\tune forêt\nb.jpg\thouses, many; so\n",
        '"a.jpg","une forêt"\n"b.jpg","houses, many; so"\n',
    ],
    ids=["plain", "heading", "commas", "spreadsheet", "pandas", "unquoted", "flickr", "foreign", "quoted"],
)
def test_the_captions_are_the_same_however_they_were_saved(tmp_path, text, encoding):
    path = tmp_path / "captions.txt"
    path.write_bytes(text.encode(encoding))
    assert captions_of(path) == WANTED


def test_numbered_names_are_the_names_of_images_where_columns_are_cut(tmp_path):
    path = tmp_path / "captions.txt"
    path.write_text("image,caption\na.jpg#0,x\na.jpg#1,y\n")
    assert captions_of(path) == [("a.jpg", "x"), ("a.jpg", "y")]


@pytest.mark.parametrize(
    "text",
    ["image,caption1,caption2\na.jpg,x,y\nb.jpg,z,\n",
     "image_name| comment_number| comment\na.jpg| 0| x\na.jpg| 1| y\nb.jpg| 0| z\n",
     '{"image": "a.jpg", "captions": ["x", "y"]}\n{"image": "b.jpg", "caption": "z"}\n'],
    ids=["columns", "bars", "json lines"],
)  # fmt: skip
def test_several_captions_of_an_image_in_columns_rows_and_lines_of_json(tmp_path, text):
    path = tmp_path / "captions.txt"
    path.write_text(text)
    assert captions_of(path) == [("a.jpg", "x"), ("a.jpg", "y"), ("b.jpg", "z")]


def test_the_reading_is_said_and_sides_are_kept(tmp_path):
    path = tmp_path / "captions.csv"
    path.write_bytes("filename;caption;split\na.jpg;été;train\nb.jpg;y;test\n".encode("cp1252"))
    read = read_caption_file(path)
    assert read.sides == {"a.jpg": "train", "b.jpg": "test"}
    assert "Windows-1252 with columns separated by semicolons, heading filename, caption" in read.sentence


def test_a_list_in_a_cell_is_several_captions(tmp_path):
    path = tmp_path / "captions.csv"
    path.write_text("filename\tcaptions\na.jpg\t['x', 'y']\n")
    assert captions_of(path) == [("a.jpg", "x"), ("a.jpg", "y")]


def test_quotes_that_never_close_swallow_nothing(tmp_path):
    path = tmp_path / "captions.csv"
    path.write_text('filename\ttext\na.jpg\t"x\n' + "".join(f"{k}.jpg\tt\n" for k in range(9)))
    assert len(captions_of(path)) == 10


def test_json_of_images_is_read_and_damage_is_named_line_by_line(tmp_path):
    assert len(captions_of(karpathy(tmp_path / "d.json"))) == 15
    path = tmp_path / "captions.txt"
    path.write_bytes("a.jpg\tforêt\n".encode() + b"b.jpg\t\xe9\n")
    lines = read_caption_file(path).lines
    assert lines[0].reason == "" and "not UTF-8" in lines[1].reason
    path.write_bytes("a.jpg\t机场 机场\n".encode("gbk"))
    with pytest.raises(RsforgeError, match="as it seems"):
        read_caption_file(path)
    path.write_text("")
    assert read_caption_file(path).lines == []
