"""SAR bands as the three channels of an autoencoder of colour images."""

from __future__ import annotations

import pytest
import torch

from rsforge.data.sar.composite import composite_for, to_three_channels


@pytest.mark.parametrize(("bands", "rule"), [(1, "repeat"), (2, "vv_vh_difference"), (3, "as_they_are")])
def test_every_number_of_bands_has_its_rule(bands, rule):
    assert composite_for(bands) == rule
    for shape in ((bands, 4, 5), (2, bands, 4, 5)):
        made = to_three_channels(torch.rand(shape) * 2 - 1, rule)
        assert made.shape == (*shape[:-3], 3, 4, 5) and made.abs().max() <= 1


def test_two_bands_are_shown_with_half_their_difference():
    vv, vh = torch.full((1, 2, 2), 0.5), torch.full((1, 2, 2), -0.5)
    made = to_three_channels(torch.cat([vv, vh]), "vv_vh_difference")
    assert made[:, 0, 0].tolist() == [0.5, -0.5, 0.5]


def test_bands_without_a_rule_and_those_of_another_are_refused():
    with pytest.raises(ValueError, match="4 bands"):
        composite_for(4)
    with pytest.raises(ValueError, match="do not fit the rule repeat"):
        to_three_channels(torch.zeros(2, 4, 4), "repeat")
