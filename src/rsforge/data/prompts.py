"""Prompts of images from their metadata, by a template."""

from __future__ import annotations

import difflib
import string
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rsforge.data.pairs.tables import UNKNOWN_WORDS, name_season
from rsforge.errors import RsforgeError
from rsforge.wording import join_first

DEFAULT_TEMPLATE = "Colorise image, Region: {region}, Season: {season}"
UNCONDITIONAL = ""
"""The prompt that stands for no prompt."""
UNKNOWN = "unknown"
STANDARD_FIELDS = ("region", "season")
"""Fields that every image has, known or not."""


def normalise_value(name: str, value: Any) -> str:
    """The words of the column ``name`` in prompts: ``unknown`` for none, ``fall`` for the season ``autumn``.

    Region and season are in lower case.
    """
    words = " ".join(str("" if value is None else value).split())
    if words.lower() in UNKNOWN_WORDS:
        return UNKNOWN
    if name == "season":
        return name_season(words)
    return words.lower() if name == "region" else words


@dataclass(frozen=True)
class PromptTemplate:
    """``text`` with columns of the metadata in braces; ``{{`` and ``}}`` are braces.

    A column is taken by its whole name, ``{date-time}`` for example; nothing in braces is evaluated. RSF-U005 for
    braces that do not match.
    """

    text: str = DEFAULT_TEMPLATE

    def __post_init__(self) -> None:
        self._parse()

    @property
    def fields(self) -> tuple[str, ...]:
        """The columns in their order, each once."""
        return tuple(dict.fromkeys(name for _, name in self._parse() if name is not None))

    def format(self, metadata: Mapping[str, Any]) -> str:
        """The prompt of an image; RSF-U005 for a column that its ``metadata`` does not have."""
        self.check_fields(metadata)
        parts = []
        for literal, name in self._parse():
            parts.append(literal if name is None else literal + normalise_value(name, metadata.get(name)))
        return "".join(parts)

    def fill(self, words: Mapping[str, str]) -> PromptTemplate:
        """This template with some of its columns replaced by ``words``; the others stay."""
        parts = []
        for literal, name in self._parse():
            tail = "" if name is None else _escape(words[name]) if name in words else f"{{{name}}}"
            parts.append(_escape(literal) + tail)
        return PromptTemplate("".join(parts))

    def check_fields(self, columns: Iterable[str]) -> None:
        """RSF-U005 for a field that is none of ``columns``, which the message names."""
        known = list(dict.fromkeys((*STANDARD_FIELDS, *columns)))
        for name in self.fields:
            if name not in known:
                close = difflib.get_close_matches(name, known, 1)
                what = f"the prompt template asks for {{{name}}}, which is no column of the metadata"
                raise RsforgeError(
                    "RSF-U005",
                    what + (f"; did you mean {{{close[0]}}}?" if close else ""),
                    where="--prompt-template",
                    found=f"known columns are {join_first(known, 24, separator=', ')}",
                    fix="use one of these columns, or add it to the tables of the data set",
                )

    def count_unknown(self, metadata: Sequence[Mapping[str, Any]]) -> dict[str, int]:
        """For how many images each field is unknown; fields that are known of all are left out."""
        counts: Counter[str] = Counter()
        for one in metadata:
            counts.update(name for name in self.fields if normalise_value(name, one.get(name)) == UNKNOWN)
        return dict(counts)

    def _parse(self) -> list[tuple[str, str | None]]:
        """The text in parts: literal text and the column behind it, None behind the last."""
        try:
            parsed = list(string.Formatter().parse(self.text))
        except ValueError as error:
            raise RsforgeError(
                "RSF-U005",
                "the prompt template cannot be read",
                where="--prompt-template",
                found=f"{self.text[:120]}: {error}",
                fix="write columns as {region}, and braces that are none as {{ and }}",
            ) from None
        parts: list[tuple[str, str | None]] = []
        for literal, name, spec, conversion in parsed:
            # What str.format would take as a conversion or a format is part of a column's name here.
            whole = (name or "") + (f"!{conversion}" if conversion else "") + (f":{spec}" if spec else "")
            parts.append((literal, None if name is None else whole))
        return parts


def _escape(text: str) -> str:
    return text.replace("{", "{{").replace("}", "}}")


def list_columns(metadata: Iterable[Mapping[str, Any]]) -> list[str]:
    """Every column that some image has, in the order of their first appearance."""
    return list(dict.fromkeys(name for one in metadata for name in one))
