"""Texts that are lists of texts."""

from __future__ import annotations

import pytest

from rsforge.data.tables.lists import split_list


@pytest.mark.parametrize(
    ("text", "items"),
    [
        ('["a bridge .", "it\'s long"]', ["a bridge .", "it's long"]),
        ("['a bridge .', \"it's long\"]", ["a bridge .", "it's long"]),
        ("['a bridge .' 'a long\\nbridge']", ["a bridge .", "a long\nbridge"]),
        ('  ("one",)  ', ["one"]),
        ('["\\u00e9t\\u00e9"]', ["été"]),
    ],
)
def test_lists_of_python_json_and_numpy_are_split(text, items):
    assert split_list(text) == items


@pytest.mark.parametrize(
    "text",
    [
        "a bridge",
        "[]",
        "[1, 2]",
        "['a', __import__('os')]",
        "[a, b]",
        "['open",
        "'a', 'b'",
        "['a'] and more",
        '["\\ud800"]',
    ],
)
def test_other_texts_stay_texts(text):
    assert split_list(text) is None
