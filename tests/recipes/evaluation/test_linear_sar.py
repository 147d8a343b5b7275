"""The linear model of SAR statistics: fitted on training pairs, stored, and given for others."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from rsforge.data.synthetic.pair_dataset import SyntheticPairs
from rsforge.engine import checkpoint
from rsforge.models.local_statistics import box_mean
from rsforge.recipes.evaluation import linear_sar
from rsforge.recipes.evaluation.baseline_predictors import constant_baselines
from rsforge.recipes.evaluation.baselines import KEY, fit_baselines, fitted_bytes
from rsforge.recipes.evaluation.image_figures import IMAGE
from rsforge.recipes.evaluation.linear_sar import NAME, NOT_STORED, fit_linear_sar, linear_baselines

CPU = torch.device("cpu")


class Smoothed:
    """Pairs of two noise bands and three colours, which are box means of the bands."""

    def __init__(self, count: int, size: int = 24) -> None:
        self.sar = torch.rand(count, 2, size, size, generator=torch.Generator().manual_seed(0)) * 2 - 1
        one, other = box_mean(self.sar[:, :1], 7), box_mean(self.sar[:, 1:], 3)
        self.optical = torch.cat([one, 0.5 * other, 0.2 - one], 1)

    def __len__(self) -> int:
        return len(self.sar)

    def __getitem__(self, key: tuple[int, int]) -> tuple[Tensor, Tensor]:
        return self.sar[key[1]], self.optical[key[1]]

    def name(self, index: int) -> str:
        return str(index)


def sar(item: tuple[Tensor, Tensor]) -> Tensor:
    return item[0]


def optical(item: tuple[Tensor, Tensor]) -> Tensor:
    return item[1]


def test_what_is_linear_in_the_statistics_is_found_and_stored(tmp_path):
    samples = Smoothed(12)
    fitted = fit_baselines(samples, image_of=optical, sar_of=sar)
    checkpoint.save(tmp_path / "c.pt", {"kind": "x", "nets": {}, KEY: fitted})
    (baseline,), absent = linear_baselines(checkpoint.load(tmp_path / "c.pt")[KEY])
    other = Smoothed(14)
    made = baseline.predict({"sar": other.sar[12:]})[IMAGE]
    assert absent == {} and made.shape == (2, 3, 24, 24) and made.dtype == torch.float32
    torch.testing.assert_close(made, other.optical[12:], atol=2e-3, rtol=0)
    assert "46" not in baseline.meaning and "the 12 training pairs" in baseline.meaning
    tensors = [t for value in fitted.values() for t in (value.values() if isinstance(value, dict) else [value])]
    assert fitted_bytes((3, 24, 24), sar_channels=2) == pytest.approx(
        sum(t.nbytes for t in tensors if isinstance(t, Tensor)), abs=20
    )


def test_of_many_pairs_some_are_read_evenly_and_the_same_pixels_every_time(monkeypatch):
    monkeypatch.setattr(linear_sar, "_MOST_PAIRS", 4)
    monkeypatch.setattr(linear_sar, "_MOST_PIXELS", 400)
    fitted, again = (fit_linear_sar(Smoothed(9), sar_of=sar, image_of=optical) for _ in range(2))
    assert (fitted["pairs"], fitted["of"]) == (4, 9)
    assert all(torch.equal(fitted[name], again[name]) for name in ("mean", "scale", "coefficients", "intercept"))
    assert "4 of 9 training pairs" in linear_baselines({NAME: fitted})[0][0].meaning


def test_checkpoints_without_it_say_so():
    assert linear_baselines(None) == linear_baselines({"mean_image": torch.zeros(3, 4, 4)}) == ([], {NAME: NOT_STORED})


def test_on_drawn_pairs_it_is_nearer_than_the_mean_and_the_median_image():
    pairs = SyntheticPairs(64, image_size=32, seed=1)
    train = [pairs[0, index] for index in range(48)]

    class Training(Smoothed):
        def __init__(self) -> None:
            self.sar, self.optical = (torch.stack(images) for images in zip(*train, strict=True))

    fitted = fit_baselines(Training(), image_of=optical, sar_of=sar)
    x, y = (torch.stack(images) for images in zip(*(pairs[0, index] for index in range(48, 64)), strict=True))
    made = {one.name: one.predict({"sar": x})[IMAGE] for one in constant_baselines(fitted, 32, CPU)}
    made[NAME] = linear_baselines(fitted)[0][0].predict({"sar": x})[IMAGE]
    errors = {name: float((image - y).abs().mean()) for name, image in made.items()}
    assert errors[NAME] < 0.95 * min(errors["mean_image"], errors["median_image"])


class WithGaps(Smoothed):
    """The same pairs, whose first columns hold no data, over colours that do not matter."""

    has_gaps = True

    def __init__(self, count: int, under: float) -> None:
        super().__init__(count)
        self.optical[..., :6] = under

    def valid(self, key: tuple[int, int]) -> Tensor:
        mask = torch.ones(1, 24, 24, dtype=torch.bool)
        mask[..., :6] = False
        return mask


def test_pixels_without_data_are_no_examples():
    one, other = (fit_linear_sar(WithGaps(4, under), sar_of=sar, image_of=lambda item: item[1]) for under in (-1, 1))
    assert all(torch.equal(one[name], other[name]) for name in ("mean", "scale", "coefficients", "intercept"))
