"""Squared maximum mean discrepancies: by the definition, and with their errors."""

from __future__ import annotations

import pytest
import torch

from rsforge.metrics.mean_discrepancy import compare_discrepancies, mean_discrepancy, polynomial_kernel


def test_the_discrepancy_of_alike_sets_is_within_its_error_and_that_of_others_is_not():
    generator = torch.Generator().manual_seed(0)
    x, y, z = (torch.randn(60, 8, generator=generator) for _ in range(3))
    alike, apart = mean_discrepancy(x, y), mean_discrepancy(x, z + 1)
    assert abs(alike.value) < 3 * alike.error and apart.value > 5 * apart.error
    difference, error = compare_discrepancies(mean_discrepancy(x, z), mean_discrepancy(y + 1, z))
    assert difference > 3 * error > 0
    exact = [mean_discrepancy(x[torch.arange(60) != k], y).value for k in (0, 7)]
    assert alike.without[0][[0, 7]].tolist() == pytest.approx(exact)


def test_pairs_are_compared_with_others_alone():
    x = torch.randn(40, 8, generator=torch.Generator().manual_seed(1))
    assert mean_discrepancy(x, x, paired=True).value == pytest.approx(0, abs=1e-9)
    assert mean_discrepancy(x, x).value < -0.1
    row = torch.arange(40) != 3
    exact = mean_discrepancy(x[row], x[row] + 0.1, paired=True).value
    both = mean_discrepancy(x, x + 0.1, paired=True)
    assert abs(float(both.without[0][3]) - exact) < 0.3 * abs(both.error) + 0.01


def test_it_is_the_unbiased_estimate_of_the_reference():
    from rsforge.compat import ensure_torchvision

    ensure_torchvision()
    from torchmetrics.image.kid import poly_mmd

    generator = torch.Generator().manual_seed(2)
    x, y = torch.randn(20, 6, generator=generator), torch.randn(20, 6, generator=generator) + 0.4
    assert mean_discrepancy(x, y).value == pytest.approx(float(poly_mmd(x.double(), y.double())), rel=1e-9)


@pytest.mark.parametrize("paired", [False, True])
def test_whole_groups_are_left_out(paired):
    generator = torch.Generator().manual_seed(4)
    x, y = torch.randn(9, 5, generator=generator), torch.randn(9, 5, generator=generator) + 0.3
    groups = ["a", "a", "b", "c", "c", "c", "d", "e", "e"]
    found = mean_discrepancy(x, y, paired=paired, groups=groups)
    assert found.value == pytest.approx(mean_discrepancy(x, y, paired=paired).value)
    if not paired:
        for place, group in enumerate("abcde"):
            kept = torch.tensor([one != group for one in groups])
            assert float(found.without[1][place]) == pytest.approx(mean_discrepancy(x, y[kept]).value)
        assert len(found.without[0]) == 9
    else:
        assert len(found.without[0]) == 5
        kept, cross = torch.tensor([one != "c" for one in groups]), polynomial_kernel(x, y)
        inner = [polynomial_kernel(one, one).fill_diagonal_(0).sum() for one in (x, y[kept])]
        counted = (~torch.eye(9, dtype=torch.bool))[:, kept]
        exact = inner[0] / 72 + inner[1] / 30 - 2 * (cross[:, kept] * counted).sum() / counted.sum()
        assert float(found.without[1][2]) == pytest.approx(float(exact))


def test_two_rows_have_no_error():
    with pytest.raises(ValueError, match="3 are the least"):
        mean_discrepancy(torch.zeros(2, 4), torch.zeros(5, 4))
