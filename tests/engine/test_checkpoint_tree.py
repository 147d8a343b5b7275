from __future__ import annotations

import pytest
import torch

from rsforge.engine import checkpoint_tree
from rsforge.engine.checkpoint_tree import find_unusable

ONES = torch.ones(2, 3)


def repeat(tree, times):
    for _ in range(times):
        tree = [tree] * 10
    return tree


def contain_itself():
    tree = []
    tree.append(tree)
    return tree


def test_plain_words_views_and_tied_weights_are_sound():
    tree = {"a": [1, 2.5, None, True, "x"], 0: ONES, "view": ONES.t()[1:], "tied": ONES, "none": torch.zeros(0, 4)}
    assert find_unusable(tree, 24) == ""


@pytest.mark.parametrize(
    "tree",
    [
        repeat("x", 40), contain_itself(), {"set": {1}}, {1.5: 1}, {"b": b"x"}, "x" * (2 << 20), 1 << 70, 1j,
        torch.ones(1).expand(4), ONES.to_sparse(), ONES.to("meta"), torch.complex(ONES, ONES).conj(),
        [torch.zeros(1 << 20).view(-1)] * 3,
    ],
    ids=lambda tree: type(tree).__name__,
)  # fmt: skip
def test_what_no_training_writes_is_named(tree):
    assert find_unusable({"here": tree}, 24)


def test_entries_are_counted(monkeypatch):
    monkeypatch.setattr(checkpoint_tree, "MOST_ENTRIES", 1000)
    assert "1000 entries" in find_unusable(repeat("x", 9), 1 << 20)


def test_no_file_has_more_entries_than_bytes():
    assert "500 entries" in find_unusable(repeat("x", 9), 500)
    assert find_unusable(["x"] * 499, 500) == ""


def test_a_table_has_no_more_keys_than_a_model_may_have(monkeypatch):
    monkeypatch.setattr(checkpoint_tree, "MOST_KEYS", 10)
    assert find_unusable({"settings": dict.fromkeys(range(10))}, 1 << 20) == ""
    assert "/settings: a table of 11 keys" in find_unusable({"settings": dict.fromkeys(range(11))}, 1 << 20)
