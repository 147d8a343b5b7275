"""Words of prompts as numbers: a vocabulary of the words that a data set's prompts have."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

if TYPE_CHECKING:
    from tokenizers import Tokenizer

PAD, UNK, START, END = range(4)
SPECIALS = {"[PAD]": PAD, "[UNK]": UNK, "[START]": START, "[END]": END}
PATTERN = r"\w+|[^\w\s]"
"""A word, or a single character that is neither part of one nor space."""


class WordTokenizer:
    """Texts as token ids: ``[START]``, the words in lower case, ``[END]``, and ``[PAD]`` up to ``max_length``.

    ``vocabulary`` gives each word its id, the specials 0 to 3 and then the most common words first; words that it lacks
    become ``[UNK]``. Longer texts lose their last words, and keep ``[END]``. ``ValueError`` for a vocabulary whose
    ids are not 0, 1, 2, ... with the specials first.
    """

    def __init__(self, vocabulary: Mapping[str, int], max_length: int) -> None:
        _check_vocabulary(vocabulary)
        if max_length < 3:
            raise ValueError(f"max_length is {max_length}: [START], a word and [END] take 3")
        self.vocabulary, self.max_length = dict(vocabulary), max_length
        self._tokenizer = _build(self.vocabulary, max_length)

    @classmethod
    def from_prompts(cls, prompts: Iterable[str], *, vocab_size: int, max_length: int) -> WordTokenizer:
        """The specials and the most common words of ``prompts``, at most ``vocab_size`` together; ties by the word."""
        splitter = _build_splitter()
        counts: Counter[str] = Counter()
        for prompt, count in Counter(prompts).items():
            for word in _split_words(splitter, prompt):
                counts[word] += count
        common = sorted(counts, key=lambda word: (-counts[word], word))
        words = [*SPECIALS, *common[: max(0, vocab_size - len(SPECIALS))]]
        return cls({word: index for index, word in enumerate(words)}, max_length)

    @classmethod
    def from_vocabulary(cls, vocabulary: Mapping[str, int], max_length: int) -> WordTokenizer:
        """The tokenizer of a stored vocabulary."""
        return cls(vocabulary, max_length)

    def __len__(self) -> int:
        """The number of words that there are, specials included; never the number that was allowed."""
        return len(self.vocabulary)

    def encode(self, texts: Sequence[str]) -> Tensor:
        """Token ids, int64 ``(B, max_length)``."""
        encodings = self._tokenizer.encode_batch_fast(list(texts))
        ids = [one.ids for one in encodings]
        return torch.tensor(ids, dtype=torch.int64).reshape(len(texts), self.max_length)

    @staticmethod
    def mask(tokens: Tensor) -> Tensor:
        """True for tokens that are no padding."""
        return tokens != PAD

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """How many tokens each text has, start and end included, however long it is."""
        return [2 + len(_split_words(self._tokenizer, text)) for text in texts]

    def list_unknown(self, texts: Sequence[str]) -> list[str]:
        """Words of ``texts`` that the vocabulary lacks, each once."""
        words = (word for text in texts for word in _split_words(self._tokenizer, text))
        return list(dict.fromkeys(word for word in words if word not in self.vocabulary))


def _check_vocabulary(vocabulary: Mapping[str, int]) -> None:
    if any(vocabulary.get(name) != index for name, index in SPECIALS.items()):
        raise ValueError(f"a vocabulary begins with {', '.join(SPECIALS)}")
    if sorted(vocabulary.values()) != list(range(len(vocabulary))):
        raise ValueError("the ids of a vocabulary are 0, 1, 2, ..., each once")


def _build_splitter() -> Tokenizer:
    """A tokenizer that makes words of a text and knows none."""
    from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers

    tokenizer = Tokenizer(models.WordLevel({"[UNK]": UNK}, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.Lowercase()
    # Inverted: what matches is kept, what lies between is removed.
    tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex(PATTERN), behavior="removed", invert=True)
    return tokenizer


def _split_words(tokenizer: Tokenizer, text: str) -> list[str]:
    """The words of a text, in lower case."""
    lowered = tokenizer.normalizer.normalize_str(text)
    return [word for word, _ in tokenizer.pre_tokenizer.pre_tokenize_str(lowered)]


def _build(vocabulary: dict[str, int], max_length: int) -> Tokenizer:
    from tokenizers import models, processors

    tokenizer = _build_splitter()
    tokenizer.model = models.WordLevel(vocabulary, unk_token="[UNK]")
    # The specials are no words of the model's own: "[PAD]" in a prompt is three words, not a special.
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[START] $A [END]", special_tokens=[("[START]", START), ("[END]", END)]
    )
    tokenizer.enable_padding(pad_id=PAD, pad_token="[PAD]", length=max_length)
    tokenizer.enable_truncation(max_length)
    return tokenizer
