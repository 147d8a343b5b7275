"""The prompts of pairs: made by a template from what tables say, and checked before anything is trained."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rsforge.data.prompts import PromptTemplate, list_columns
from rsforge.data.word_tokenizer import WordTokenizer
from rsforge.errors import RsforgeError
from rsforge.recipes.console import Console
from rsforge.wording import count_noun, join_first


def write_prompts(
    template: PromptTemplate, metadata: Sequence[Mapping[str, str]], console: Console, *, noun: str = "pair"
) -> list[str]:
    """The prompt of each pair; RSF-U005 for a field that no pair has, a warning for values that are unknown."""
    columns = list_columns(metadata)
    template.check_fields(columns)
    unknown = template.count_unknown(metadata)
    if unknown:
        parts = [f"{name} of {count}" for name, count in unknown.items()]
        total = count_noun(len(metadata), noun)
        console.warn(f"the metadata does not say {', '.join(parts)} of {total}: their prompts say unknown")
    blank = dict.fromkeys(columns, "")
    return [template.format({**blank, **one}) for one in metadata]


def check_lengths(tokenizer: WordTokenizer, prompts: Sequence[str]) -> None:
    """RSF-U005 for a prompt with more tokens than the tokenizer takes: its last words would be lost."""
    distinct = list(dict.fromkeys(prompts))
    counts = tokenizer.count_tokens(distinct)
    longest = max(counts, default=0)
    if longest > tokenizer.max_length:
        long = sum(count > tokenizer.max_length for count in counts)
        what = f"{count_noun(long, 'prompt')} of {len(distinct)} have more tokens than --max-length"
        raise RsforgeError(
            "RSF-U005",
            f"{what} {tokenizer.max_length}",
            where="--max-length",
            found=f"{longest} tokens, start and end included: {distinct[counts.index(longest)][:160]}",
            fix=f"use --max-length {longest}, or a shorter --prompt-template",
        )


def warn_of_unknown_words(tokenizer: WordTokenizer, prompts: Sequence[str], console: Console) -> None:
    """A warning that names words which a stored vocabulary lacks: the text encoder takes them all for one."""
    words = tokenizer.list_unknown(list(dict.fromkeys(prompts)))
    if words:
        shown = join_first(words, 8, separator=", ")
        console.warn(f"the text encoder does not know {count_noun(len(words), 'word')} of the prompts: {shown}")
