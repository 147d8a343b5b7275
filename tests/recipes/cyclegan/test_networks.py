"""Which networks a training of CycleGAN has, and where one of them starts."""

from __future__ import annotations

from operator import itemgetter

import pytest
import torch

from rsforge.data.synthetic.pair_dataset import SyntheticPairs
from rsforge.models.pix2pix import Pix2PixUNet
from rsforge.models.statistics_translator import StatisticsUNet
from rsforge.recipes.cyclegan.networks import build, fit_linear_path
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
    fit_linear_path(nets, {"keep": fitted}.__getitem__)
    assert torch.equal(nets["gen_AB"].linear.coefficients, fitted["coefficients"])
    fit_linear_path(make(), lambda level: pytest.fail("there is no place for a linear model"))
