"""Text files in the encodings that programs save."""

from __future__ import annotations

import unicodedata

import pytest

from rsforge.data.tables.characters import CharacterError, compose, decode_text

TEXT = "a.jpg\tune forêt près d’un fleuve — 5 €\r\nb.jpg\tStraße\r\n"


@pytest.mark.parametrize(
    ("encoding", "name"),
    [("utf-8", ""), ("utf-8-sig", ""), ("utf-16", "UTF-16"), ("utf-16-le", "UTF-16"), ("utf-16-be", "UTF-16"),
     ("utf-32", "UTF-32"), ("cp1252", "Windows-1252")],
)  # fmt: skip
def test_a_text_is_the_same_in_every_usual_encoding(encoding, name):
    assert decode_text(TEXT.encode(encoding)) == (TEXT, name)


def test_plain_letters_and_nothing_are_utf8():
    assert decode_text(b"") == ("", "") and decode_text(b"a,b\n") == ("a,b\n", "")


@pytest.mark.parametrize(
    ("data", "why"),
    [
        ("forêt".encode() + b" \xea port\xe9", "not UTF-8 throughout"),
        ("机场 机场 港口".encode("gbk"), "as it seems"),
        (b"port\x81", "neither UTF-8 nor Windows-1252"),
        (b"a.jpg\t\xff\n", "not UTF-8 throughout"),
        (b"\xef\xbb\xbfa\xe9", "not UTF-8"),
    ],
)
def test_bytes_that_are_no_known_text_are_not_guessed(data, why):
    with pytest.raises(CharacterError, match=why) as caught:
        decode_text(data)
    assert data[caught.value.start] >= 0x80


def test_names_of_a_mac_are_those_of_others():
    assert compose(unicodedata.normalize("NFD", "Zürich")) == "Zürich"
