"""What is text and what is none."""

from __future__ import annotations

import json

import pytest

from rsforge.unicode_text import encode_json, is_unicode


@pytest.mark.parametrize(
    ("text", "sound"), [("", True), ("é \U0001f6f0", True), ("a \ud800", False), ("\udcff", False)]
)
def test_halves_of_surrogate_pairs_are_no_text(text, sound):
    assert is_unicode(text) == sound


def test_json_of_any_text_is_read_as_the_same():
    value = ["é \U0001f6f0", "\udcff \\udcff", '"\ud800']
    assert json.loads(encode_json(json.dumps(value, ensure_ascii=False))) == value
