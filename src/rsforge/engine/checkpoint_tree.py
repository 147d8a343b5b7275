"""Bounds of what a checkpoint holds, of any kind: plain words and tensors, no more of them than its file can hold."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

MOST_DEPTH = 32
MOST_ENTRIES = 5_000_000
MOST_KEYS = 1 << 16  # of one table
MOST_TEXT = 1 << 20
MOST_INTEGER = 1 << 63
# Tied weights and views share bytes of the file; nothing that is written shares them more often.
MOST_SHARING = 8
SMALL = 1 << 20


def find_unusable(tree: Any, file_bytes: int) -> str:
    """Why a loaded tree is none that a training writes; empty where it is sound.

    Judged before digests are computed: a tree that holds itself, or one list a thousand times, has no end, and a
    tensor of one expanded number has any size.
    """
    return _Tally(file_bytes).judge(tree, "", 0)


class _Tally:
    def __init__(self, file_bytes: int) -> None:
        self.entries, self.bytes_left = 0, MOST_SHARING * file_bytes + SMALL
        # An entry takes a byte or more: only a list that is referred to again and again has more of them.
        self.most_entries = min(MOST_ENTRIES, file_bytes)

    def judge(self, tree: Any, place: str, depth: int) -> str:
        self.entries += 1
        if depth > MOST_DEPTH:
            return f"{_start(place)}: nested more than {MOST_DEPTH} deep"
        if self.entries > self.most_entries:
            return f"more than {self.most_entries} entries"
        if isinstance(tree, Tensor):
            return self._judge_tensor(tree, place)
        if isinstance(tree, Mapping):
            return self._judge_mapping(tree, place, depth)
        if isinstance(tree, (list, tuple)):
            reasons = (self.judge(item, f"{place}/{i}", depth + 1) for i, item in enumerate(tree))
            return next(filter(None, reasons), "")
        return _judge_leaf(tree, place)

    def _judge_mapping(self, tree: Mapping[Any, Any], place: str, depth: int) -> str:
        if len(tree) > MOST_KEYS:
            return f"{_start(place)}: a table of {len(tree)} keys"
        for key, value in tree.items():
            if not isinstance(key, (str, int)) or (isinstance(key, str) and len(key) > MOST_TEXT):
                return f"{_start(place)}: a key that is neither a name nor a number"
            if reason := self.judge(value, f"{place}/{key}", depth + 1):
                return reason
        return ""

    def _judge_tensor(self, tensor: Tensor, place: str) -> str:
        if reason := _find_oddity(tensor):
            return f"{_start(place)}: a {reason} tensor"
        size = tensor.numel() * tensor.element_size()
        if size > tensor.untyped_storage().nbytes():
            return f"{_start(place)}: {tuple(tensor.shape)}, of fewer numbers than that"
        self.bytes_left -= size
        return "" if self.bytes_left >= 0 else f"{_start(place)}: more tensors than the file has bytes"


def _find_oddity(tensor: Tensor) -> str:
    """What no training writes: a tensor whose bytes are not simply its numbers on the CPU."""
    if tensor.layout is not torch.strided or tensor.is_nested:
        return "sparse"
    if tensor.is_quantized:
        return "quantized"
    if tensor.is_conj() or tensor.is_neg() or tensor.is_complex():
        return "complex"
    return "" if tensor.device.type == "cpu" else tensor.device.type


def _judge_leaf(leaf: Any, place: str) -> str:
    if isinstance(leaf, str):
        return f"{_start(place)}: a text of {len(leaf)} letters" if len(leaf) > MOST_TEXT else ""
    if isinstance(leaf, int):
        return f"{_start(place)}: a number out of any range" if abs(leaf) >= MOST_INTEGER else ""
    return "" if leaf is None or isinstance(leaf, float) else f"{_start(place)}: a {type(leaf).__name__}"


def _start(place: str) -> str:
    return place[:80]
