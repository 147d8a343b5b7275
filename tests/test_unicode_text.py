"""What is text and what is none."""

from __future__ import annotations

import pytest

from rsforge.unicode_text import is_unicode


@pytest.mark.parametrize(
    ("text", "sound"), [("", True), ("é \U0001f6f0", True), ("a \ud800", False), ("\udcff", False)]
)
def test_halves_of_surrogate_pairs_are_no_text(text, sound):
    assert is_unicode(text) == sound
