"""A small vocabulary of CLIP's kind: all bytes, a few merged pieces, start and end."""

from __future__ import annotations

import json

PAIRS = ["a n", "t r", "e e", "tr ee", "tree s</w>", "b e", "r i", "ri v", "e r</w>", "riv er</w>"]
AWKWARD = [
    "a river and green trees .",
    "A RIVER'S bend, 24 boats; it's    wide",
    "Überfluß am Straßenrand — 東京 42½ 🛰️ \t tab\nline",
    "",
    " ",
    "e\u0301e naïve <|endoftext|> x",
    "Wow! really!! <|ENDOFTEXT|> a<|startoftext|>b ! !",
    "the " * 80,
    "tree" * 60,
    "don't we'll I'm he'd they've you're",
    "1234567890 3.14e-5 10m/px #tag @user",
    "\u200b\ufeff\u00a0\u3000 wide\u2003spaces",
    "ΣΊΣΥΦΟΣ İstanbul ǅ ﬁ",
    "_under_score __ ...!!!???",
]


def bytes_as_letters() -> list[str]:
    """The 256 symbols of byte-level encoding (Radford et al. 2019)."""
    shown = [*range(33, 127), *range(161, 173), *range(174, 256)]
    hidden = [b for b in range(256) if b not in shown]
    return [chr(b) for b in shown] + [chr(256 + k) for k in range(len(hidden))]


def vocabulary() -> dict[str, int]:
    letters = bytes_as_letters()
    words = [*letters, *(f"{c}</w>" for c in letters), *("".join(m.split()) for m in PAIRS)]
    return {word: i for i, word in enumerate([*words, "<|startoftext|>", "<|endoftext|>"])}


def write_tables(folder, *, config=None, specials=None) -> None:
    """The two tables, and the two files of special tokens where they are given."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "vocab.json").write_text(json.dumps(vocabulary()), "utf-8")
    (folder / "merges.txt").write_text("#version: 0.2\n" + "\n".join(PAIRS) + "\n", "utf-8")
    for name, value in (("tokenizer_config.json", config), ("special_tokens_map.json", specials)):
        if value is not None:
            (folder / name).write_text(json.dumps(value))
