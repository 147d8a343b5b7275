"""Which words of captions count, and which captions have them."""

from __future__ import annotations

import torch

from rsforge.metrics.caption_words import Captions, choose_words, gather_captions, mark_words

TOKENS = [
    torch.tensor([[0, 5, 7, 9, 9], [0, 5, 5, 9, 9]]),
    torch.tensor([[0, 7, 8, 5, 9]]),
    torch.tensor([[0, 3, 2, 9, 9], [0, 3, 9, 9, 9]]),
]


def test_words_are_tokens_of_several_captions_but_not_of_all():
    captions = gather_captions(TOKENS)
    assert choose_words(captions).tolist() == [3, 5, 7]  # 0 and 9 are in all, 8 and 2 in one, 5 twice in one
    assert choose_words(captions, most=1).tolist() == [5]
    alone = Captions(TOKENS[1], torch.zeros(1, dtype=torch.int64))
    assert choose_words(alone).tolist() == []


def test_bags_have_a_word_once_and_unknown_words_nowhere():
    bags = mark_words(torch.cat(TOKENS), torch.tensor([3, 5, 7]))
    assert bags.tolist() == [[0, 1, 1], [0, 1, 0], [0, 1, 1], [1, 0, 0], [1, 0, 0]]
    assert mark_words(TOKENS[0], torch.tensor([], dtype=torch.int64)).shape == (2, 0)


def test_captions_of_an_image_count_one_together_and_stay_with_it():
    captions = gather_captions(TOKENS)
    assert captions.image.tolist() == [0, 0, 1, 2, 2] and captions.shares.tolist() == [0.5, 0.5, 1, 0.5, 0.5]
    assert captions.first[:, 1].tolist() == [5, 7, 3]
    some = captions.select(torch.tensor([False, True, True]))
    assert some.image.tolist() == [0, 1, 1] and torch.equal(some.first, captions.first[1:])
