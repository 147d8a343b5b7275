"""Which networks a training of CycleGAN has, and where one of them starts."""

from __future__ import annotations

from operator import itemgetter

import pytest
import torch

from rsforge.data.sar.radiometry import CLIP_DB, EIGHT_BIT, Radiometry
from rsforge.data.synthetic.pair_dataset import SyntheticPairs
from rsforge.models.image_level import standardise_images
from rsforge.models.pix2pix import Pix2PixUNet
from rsforge.models.statistics_translator import StatisticsUNet
from rsforge.recipes.cyclegan.networks import build, describe_level, fit_linear_path, fit_standardised, is_standardised
from rsforge.recipes.evaluation.linear_sar import fit_linear_sar
from rsforge.settings.cyclegan import CycleGanTrainSettings
from rsforge.settings.pairs import PairTrainingSettings


def test_critics_are_normalised_as_the_loss_needs():
    def norms(**loss):
        settings = CycleGanTrainSettings(
            data=PairTrainingSettings(data_dir="v_2", image_size=32),
            gan={"base_width": 4},
            loss={"lambda_content": 0, **loss},
        )
        return {type(m).__name__ for m in build(settings, 1)["disc_Y"].modules() if "Norm" in type(m).__name__}

    assert norms() == {"BatchNorm2d"}
    assert norms(gan_loss="wgan-gp") == {"InstanceNorm2d"}


def make(*, unpaired: bool = False, **gan: object) -> dict[str, torch.nn.Module]:
    data = PairTrainingSettings(data_dir="v_2", image_size=32, unpaired=unpaired)
    return build(CycleGanTrainSettings(data=data, gan={"base_width": 4, **gan}), 1)


def test_only_optical_images_of_pairs_start_from_a_linear_model() -> None:
    nets = make(linear_path=True)
    assert type(nets["gen_AB"]) is StatisticsUNet and type(nets["gen_BA"]) is Pix2PixUNet
    assert type(make(linear_path=True, unpaired=True)["gen_AB"]) is Pix2PixUNet
    assert type(make()["gen_AB"]) is Pix2PixUNet


def test_the_generator_takes_the_linear_model() -> None:
    samples = SyntheticPairs(8, image_size=32, seed=0, flip=0.0, keep_bytes=1 << 20)
    nets, fitted = make(linear_path=True), fit_linear_sar(samples, sar_of=itemgetter(0), image_of=itemgetter(1))
    fit_linear_path(nets, lambda: fitted)
    assert torch.equal(nets["gen_AB"].linear.coefficients, fitted["coefficients"])
    fit_linear_path(make(), lambda: pytest.fail("there is no place for a linear model"))


@pytest.mark.parametrize(
    ("level", "of_decibels", "of_bytes"), [("keep", False, False), ("standardise", True, True), ("auto", False, True)]
)
def test_the_level_is_kept_as_told_or_where_its_unit_is_known(level, of_decibels, of_bytes):
    settings = CycleGanTrainSettings(data=PairTrainingSettings(data_dir="v_2", image_size=32), gan={"sar_level": level})
    decibels = Radiometry("db", *CLIP_DB)
    assert is_standardised(settings, decibels) == of_decibels and is_standardised(settings, EIGHT_BIT) == of_bytes
    assert is_standardised(settings, Radiometry("linear", *CLIP_DB)) == of_decibels
    lines = {radiometry.unit: describe_level(settings, radiometry) for radiometry in (decibels, EIGHT_BIT)}
    assert [line.startswith("kept") for line in lines.values()] == [not of_decibels, not of_bytes]
    assert ("--sar-level standardise" in lines["uint8"]) != of_bytes and ("sigma0" in lines["db"]) != of_decibels


def test_the_linear_model_of_standardised_images_is_fitted_to_them():
    samples = SyntheticPairs(8, image_size=32, seed=0, keep_bytes=1 << 20)
    standard = [(standardise_images(sar[None])[0], optical) for sar, optical in (samples[0, k] for k in range(8))]

    class Standard:
        def __len__(self) -> int:
            return 8

        def __getitem__(self, key: tuple[int, int]) -> tuple[torch.Tensor, torch.Tensor]:
            return standard[key[1]]

    expected = fit_linear_sar(Standard(), sar_of=itemgetter(0), image_of=itemgetter(1))
    found = fit_standardised(samples)
    assert torch.equal(found["coefficients"], expected["coefficients"]) and found["pairs"] == 8
    plain = fit_linear_sar(samples, sar_of=itemgetter(0), image_of=itemgetter(1))
    assert not torch.allclose(found["mean"], plain["mean"], atol=0.1)
