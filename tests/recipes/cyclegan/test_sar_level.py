"""What the generator of optical images sees of SAR ones: as typed, or as is nearer to the pairs that choose."""

from __future__ import annotations

from collections.abc import Sequence
from operator import itemgetter

import pytest
import torch

from rsforge.data.sar.radiometry import CLIP_DB, EIGHT_BIT, Radiometry
from rsforge.data.synthetic.pair_dataset import SyntheticPairs
from rsforge.models.image_level import show_level, standardise_images
from rsforge.recipes.console import SilentConsole
from rsforge.recipes.cyclegan import sar_level
from rsforge.recipes.cyclegan.sar_level import (
    choose_level,
    describe_level,
    fit_by_level,
    largest_level,
    list_level_caveats,
    measure_errors,
    restore_level,
    settle_level,
)
from rsforge.recipes.datasets.named_samples import NoSamples
from rsforge.recipes.datasets.pair_split import PairSets
from rsforge.recipes.evaluation.linear_sar import fit_linear_sar
from rsforge.settings.cyclegan import CycleGanTrainSettings
from rsforge.settings.pairs import PairTrainingSettings
from tests.worlds.consoles import RecordingConsole

Pair = tuple[torch.Tensor, torch.Tensor]
DECIBELS = Radiometry("db", *CLIP_DB)


class Samples:
    def __init__(self, pairs: Sequence[Pair]) -> None:
        self.pairs = pairs

    def __len__(self) -> int:
        return len(self.pairs)

    def __getitem__(self, key: tuple[int, int]) -> Pair:
        return self.pairs[key[1]]


def draw(count: int, seed: int, *, stretched: bool) -> Samples:
    """Optical images that are what SAR shows beside the mean of its image, or else at its level."""
    generator = torch.Generator().manual_seed(seed)
    ground = 0.3 * torch.randn(count, 1, 32, 32, generator=generator).clamp(-2, 2) * torch.linspace(0.2, 1, 32)
    level = 0.6 * torch.rand(count, 1, 1, 1, generator=generator) - 0.3
    gain = 0.2 + 0.8 * torch.rand(count, 1, 1, 1, generator=generator)
    sar = (gain * ground + level) if stretched else (ground + level).clamp(-1, 1)
    optical = standardise_images(ground) / 3 if stretched else sar
    return Samples([(x, y.expand(3, -1, -1).clamp(-1, 1)) for x, y in zip(sar, optical, strict=True)])


def sets(train: Samples, held_out: Samples | NoSamples) -> PairSets:
    return PairSets(train, train, held_out, {}, EIGHT_BIT, 1)


def settings_of(level: str, **data: object) -> CycleGanTrainSettings:
    pairs = PairTrainingSettings(data_dir="v_2", image_size=32, **data)
    return CycleGanTrainSettings(data=pairs, gan={"sar_level": level})


@pytest.mark.parametrize("stretched", [True, False])
def test_what_is_nearer_to_the_pairs_that_choose_is_seen_and_said(stretched, monkeypatch):
    monkeypatch.setattr(sar_level, "PAIRS_A_STATISTIC", 0.5)
    console = RecordingConsole()
    pairs = sets(draw(24, 0, stretched=stretched), draw(12, 1, stretched=stretched))
    settled = settle_level(settings_of("auto"), pairs, console)
    keep, both = (measure_errors(settled.linear(level), level, pairs.held_out) for level in ("keep", "both"))
    assert settled.level == ("both" if stretched else "keep") and settled.train is pairs.train
    assert float((keep - both).mean()) > 0.5 * float(keep.mean()) or not stretched
    assert console.has_line(f"linear model on 12 pairs that choose: l1 {float(keep.mean()):.4f}, ")
    assert settled.linear(settled.level) is settled.linear(settled.level)


@pytest.mark.parametrize(("gains", "level"), [((0.1, 0.2, 0.3), "both"), ((-0.1, 0.3, -0.1), "keep"), ((0.1,), "keep")])
def test_a_few_pairs_do_not_choose_by_chance(monkeypatch, gains, level):
    """The mean is nearer in every case, but not by more than its standard error, which one pair does not have."""
    found = {"keep": torch.full((len(gains),), 0.5), "both": 0.5 - torch.tensor(gains)}
    monkeypatch.setattr(sar_level, "measure_errors", lambda model, level, samples: found[level])
    monkeypatch.setattr(sar_level, "PAIRS_A_STATISTIC", 0)
    samples = draw(len(gains), 0, stretched=True)
    assert choose_level(settings_of("auto"), sets(samples, samples), lambda level: {}, SilentConsole())[0] == level


def test_what_is_typed_is_not_measured():
    console = RecordingConsole()
    for level in ("keep", "standardise", "both"):
        settings = settings_of(level)
        settled = settle_level(settings, sets(draw(2, 0, stretched=False), NoSamples()), console)
        assert settled.level == level == largest_level(settings)
    assert console.has_line("sar level  standardised: each image or tile at mean 0 and deviation 1")


def test_where_nothing_can_be_measured_the_level_is_kept():
    def fail(level):
        pytest.fail("there is nothing to measure")

    pairs, alone = (sets(draw(184, 0, stretched=True), other) for other in (draw(2, 1, stretched=True), NoSamples()))
    assert choose_level(settings_of("auto"), alone, fail, SilentConsole())[0] == "keep"
    assert choose_level(settings_of("auto", unpaired=True), pairs, fail, SilentConsole())[0] == "keep"
    few = sets(draw(183, 0, stretched=True), draw(2, 1, stretched=True))
    level, reason = choose_level(settings_of("auto"), few, fail, SilentConsole())
    assert level == "keep" and "auto needs 184 pairs to train on and 2 that choose" in reason
    planned = SilentConsole()
    planned.dry_run = True
    assert choose_level(settings_of("auto"), pairs, fail, planned)[0] == "both" == largest_level(settings_of("auto"))


def test_a_run_that_goes_on_keeps_its_level():
    pairs = sets(draw(2, 0, stretched=True), NoSamples())
    for described, level in (({"level": "both"}, "both"), ({}, "keep")):
        restored = restore_level(pairs, {"architecture": {"gen_AB": described}})
        assert restored.level == level and restored.plain is pairs.plain


def test_linear_models_are_of_what_is_seen():
    samples = SyntheticPairs(8, image_size=32, seed=0)
    linear = fit_by_level(samples)
    for level, ridge in (("keep", {}), ("standardise", {}), ("both", {"ridge": 1e-3})):
        seen = Samples([(show_level(x[None], level)[0], y) for x, y in (samples[0, k] for k in range(8))])
        expected = fit_linear_sar(seen, sar_of=itemgetter(0), image_of=itemgetter(1), **ridge)
        assert torch.equal(linear(level)["coefficients"], expected["coefficients"])
    assert [len(linear(level)["mean"]) for level in ("keep", "standardise", "both")] == [23, 23, 46]


def test_a_kept_level_says_what_it_takes_for_granted():
    for level in ("keep", "both"):
        assert "uint8 values are taken to have one scale" in describe_level(level, EIGHT_BIT)
        assert "sigma0 means the same" in describe_level(level, DECIBELS)
    assert describe_level("standardise", EIGHT_BIT) == describe_level("standardise", DECIBELS)


def test_images_of_another_level_than_those_of_the_training_make_figures_doubtful():
    samples = draw(24, 0, stretched=False)
    state = {"radiometry": EIGHT_BIT.as_dict(), "baselines": {"linear_sar": fit_by_level(samples)("keep")}}
    brighter = Samples([(x + 0.5, y) for x, y in samples.pairs])
    (caveat,) = list_level_caveats(state, brighter)
    assert "deviations apart): uint8 values may not be one scale" in caveat
    assert list_level_caveats(state, samples) == list_level_caveats(state, draw(8, 1, stretched=False)) == []
    assert list_level_caveats(state | {"radiometry": DECIBELS.as_dict()}, brighter) == []
    assert list_level_caveats({"radiometry": EIGHT_BIT.as_dict()}, brighter) == []
