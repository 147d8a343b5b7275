"""Counts and lists in messages."""

from __future__ import annotations

import pytest

from rsforge.wording import agree, count_noun, join_first, join_start


@pytest.mark.parametrize(("number", "text"), [(0, "0 pairs"), (1, "1 pair"), (2, "2 pairs")])
def test_nouns_follow_their_number(number, text):
    assert count_noun(number, "pair") == text
    assert count_noun(number, "match") == text.replace("pair", "match").replace("hs", "hes")
    assert count_noun(number, "foot", "feet") == text.replace("pairs", "feet").replace("pair", "foot")
    assert agree(number, "is", "are") == ("is" if number == 1 else "are")


def test_long_lists_are_cut_short():
    assert join_first(["a", "b", "c", "d"], 2) == "a; b; and 2 more"
    assert join_first(["a", "b", "c"], 2, separator=", ") == "a, b, and 1 more"
    assert join_first(["a", "b"], 2) == "a; b" and join_first([], 2) == ""
    assert join_start(["a", "b", "c"], 2) == "a, b, ..." and join_start(["a", "b"], 2) == "a, b"
