"""Some of the items of a dataset."""

from __future__ import annotations

import torch

from rsforge.recipes.selected_items import SelectedItems
from tests.worlds.items import Named


class Masked(Named):
    """Samples of which those in capitals alone hold data."""

    has_gaps = True

    def valid(self, key: tuple[int, int]) -> torch.Tensor:
        return torch.tensor(self.name(key[1]).isupper())


def test_items_keep_their_names_and_masks():
    some = SelectedItems(Masked("aBc"), [1, 2])
    assert (len(some), some.name(0), some[3, 1]) == (2, "B", "c")
    assert some.has_gaps and some.valid((0, 0)) and not some.valid((0, 1))
    assert not SelectedItems(Named("ab"), [0]).has_gaps and SelectedItems(Named("ab"), [0]).valid((0, 0)) is None
