"""Translations of pairs that chose nothing, at the end of a training."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from rsforge.engine.distributed import SingleProcess
from rsforge.recipes.cyclegan.judge import judge
from rsforge.recipes.cyclegan.load import load_generator
from rsforge.recipes.datasets.named_samples import NoSamples
from rsforge.recipes.training.job import Compute
from rsforge.settings.base import RunSettings
from rsforge.settings.cyclegan import CycleGanTrainSettings
from rsforge.settings.pairs import PairTrainingSettings
from tests.worlds.consoles import RecordingConsole
from tests.worlds.pair_training import load_pairs

COMPUTE = Compute(torch.device("cpu"), SingleProcess())


def settings_of(world) -> CycleGanTrainSettings:
    data = PairTrainingSettings(data_dir=str(world), image_size=32)
    return CycleGanTrainSettings(run=RunSettings(device="cpu"), data=data)


def test_the_error_is_that_of_the_pairs_of_the_third_side(pair_world, pair_model):
    sets = load_pairs(pair_world, RecordingConsole(), test_fraction=0.34)
    told = judge(settings_of(pair_world), sets, None, pair_model, COMPUTE, RecordingConsole())
    assert (told["judged"]["side"], told["judged"]["images"]) == ("test", len(sets.test))
    net, _ = load_generator(pair_model, COMPUTE.device, "sar2optical")
    pairs = [sets.test[0, k] for k in range(len(sets.test))]
    made = [float((net(sar[None])[0] - optical).abs().mean()) for sar, optical in pairs]
    copied = [float((sar[:1] - optical).abs().mean()) for sar, optical in pairs]
    assert told["judged"]["l1"]["model"] == pytest.approx(sum(made) / len(made), rel=1e-4)
    assert told["judged"]["l1"]["copy_sar"] == pytest.approx(sum(copied) / len(copied), rel=1e-4)
    assert "on 8 pairs that chose nothing" in told["verdict"]


def test_nothing_is_judged_without_true_pairs(pair_world, pair_model):
    sets = replace(load_pairs(pair_world, RecordingConsole()), matched=False, test=NoSamples())
    assert judge(settings_of(pair_world), sets, None, pair_model, COMPUTE, RecordingConsole()) == {}
