"""CLIP's byte-pair encoding of texts (Radford et al. 2021), from the files of a pretrained model and back."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rsforge import durable

if TYPE_CHECKING:
    from tokenizers import AddedToken, Tokenizer
    from torch import Tensor

LIMIT = 77
WORD_END = "</w>"
"""What the last piece of a word ends in."""
START, END = "<|startoftext|>", "<|endoftext|>"
SPECIAL_PATTERN = r"<\|startoftext\|>|<\|endoftext\|>|'s|'t|'re|'ve|'m|'ll|'d|"
PATTERN = SPECIAL_PATTERN + r"[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"
WHOLE, VOCABULARY, MERGES = "tokenizer.json", "vocab.json", "merges.txt"
CONFIG, SPECIALS = "tokenizer_config.json", "special_tokens_map.json"
Special = str | Mapping[str, Any]
"""A special token, or it and how it is found in a text."""


@dataclass(frozen=True)
class Specials:
    """The tokens before, behind and after a text: ``start``, ``end``, and the ``pad`` up to ``max_length``."""

    start: Special = START
    end: Special = END
    pad: Special = END
    unknown: Special = END
    max_length: int = LIMIT

    @property
    def names(self) -> list[Special]:
        return [self.unknown, self.start, self.end, self.pad]


class ClipTokenizer:
    """Texts as token ids: start, the pieces of the text in lower case, end, and pads up to ``max_length``.

    ``vocabulary`` gives the pieces their ids, ``merges`` are the pairs that become one, the most common first. Longer
    texts lose their last pieces, and keep the end. ``ValueError`` for special tokens and merges that the vocabulary
    lacks.
    """

    def __init__(
        self, vocabulary: Mapping[str, int], merges: Sequence[tuple[str, str]], specials: Specials = Specials()
    ) -> None:
        self.vocabulary, self.merges, self.specials = dict(vocabulary), list(merges), specials
        absent = [name for name in map(text_of, specials.names) if name not in self.vocabulary]
        if absent:
            raise ValueError(f"the vocabulary has no token {absent[0]}")
        if specials.max_length < 3:
            raise ValueError(f"max_length is {specials.max_length}: start, a piece and end take 3")
        self.max_length = specials.max_length
        self.start, self.end, self.pad = (
            self.vocabulary[text_of(name)] for name in (specials.start, specials.end, specials.pad)
        )
        self._tokenizer = build_pieces(self.vocabulary, self.merges, text_of(specials.unknown))
        _finish(self._tokenizer, self)

    def __len__(self) -> int:
        """One more than the highest id."""
        return 1 + max(self.vocabulary.values())

    def encode(self, texts: Sequence[str]) -> Tensor:
        """Token ids, int64 ``(B, max_length)``."""
        import torch  # data commands count tokens without it

        ids = [one.ids for one in self._tokenizer.encode_batch_fast(list(texts))]
        return torch.tensor(ids, dtype=torch.int64).reshape(len(texts), self.max_length)

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """How many tokens each text has, start and end included, however long it is."""
        free = build_pieces(self.vocabulary, self.merges, text_of(self.specials.unknown))
        free.add_special_tokens([_as_added(name) for name in self.specials.names])
        return [2 + len(one.ids) for one in free.encode_batch_fast(list(texts), add_special_tokens=False)]

    def save(self, folder: Path) -> None:
        """Write ``vocab.json``, ``merges.txt`` and the two files of special tokens, each whole or not at all."""
        specials = self.specials
        names = {
            "bos_token": specials.start,
            "eos_token": specials.end,
            "pad_token": specials.pad,
            "unk_token": specials.unknown,
        }
        config = {**names, "model_max_length": self.max_length, "tokenizer_class": "CLIPTokenizer",
                  "do_lower_case": True, "add_prefix_space": False}  # fmt: skip
        pairs = "\n".join(" ".join(pair) for pair in self.merges)
        durable.write_text(folder / VOCABULARY, json.dumps(self.vocabulary, ensure_ascii=False))
        durable.write_text(folder / MERGES, f"#version: 0.2\n{pairs}\n")
        durable.write_json(folder / SPECIALS, names)
        durable.write_json(folder / CONFIG, config)


def text_of(token: Special) -> str:
    """A special token's text."""
    return token if isinstance(token, str) else str(token.get("content", ""))


def build_pieces(vocabulary: Mapping[str, int], merges: Sequence[tuple[str, str]], unknown: str = END) -> Tokenizer:
    """The tokenizer that makes pieces of a text, without special tokens, start, end and length; ``ValueError``."""
    from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers

    marks = {"unk_token": unknown, "end_of_word_suffix": WORD_END, "continuing_subword_prefix": ""}
    try:
        pieces = models.BPE(dict(vocabulary), list(merges), fuse_unk=False, **marks)
    except Exception as error:  # the library raises bare exceptions
        raise ValueError(str(error)) from error
    tokenizer = Tokenizer(pieces)
    spaces = normalizers.Replace(Regex(r"\s+"), " ")
    tokenizer.normalizer = normalizers.Sequence([normalizers.NFC(), spaces, normalizers.Lowercase()])
    split = pre_tokenizers.Split(Regex(PATTERN), behavior="removed", invert=True)
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([split, pre_tokenizers.ByteLevel(add_prefix_space=False)])
    return tokenizer


def _finish(tokenizer: Tokenizer, told: ClipTokenizer) -> None:
    from tokenizers import processors

    tokenizer.add_special_tokens([_as_added(name) for name in told.specials.names])
    start, end = text_of(told.specials.start), text_of(told.specials.end)
    tokenizer.post_processor = processors.TemplateProcessing(
        single=[f"{start}:0", "$A:0", f"{end}:0"], special_tokens=[(start, told.start), (end, told.end)]
    )
    tokenizer.enable_padding(pad_id=told.pad, pad_token=text_of(told.specials.pad), length=told.max_length)
    tokenizer.enable_truncation(told.max_length)


def _as_added(token: Special) -> AddedToken:
    from tokenizers import AddedToken

    if isinstance(token, str):
        return AddedToken(token, normalized=False, special=True)
    flags = {key: bool(token[key]) for key in ("lstrip", "rstrip", "single_word", "normalized") if key in token}
    return AddedToken(text_of(token), special=True, **flags)
