"""The table of published figures: complete, and named alike in the option."""

from __future__ import annotations

from typing import get_args

import pytest

from rsforge.recipes.published.benchmarks import read_benchmarks
from rsforge.recipes.published.definitions import DEFINITIONS, SPECTRAL
from rsforge.settings.evaluation import PublishedName

BENCHMARKS = read_benchmarks()


def test_the_option_names_all_of_them():
    assert get_args(PublishedName) == tuple(BENCHMARKS)


@pytest.mark.parametrize("name", BENCHMARKS)
def test_each_has_a_source_a_protocol_and_figures_of_known_metrics(name):
    one = BENCHMARKS[name]
    assert one.source and one.split and one.note and 2010 < one.year < 2030 and one.protocol and one.methods
    assert {metric for row in one.methods.values() for metric in row} == set(one.metrics)
    for how in one.metrics.values():
        assert how.definition and (how.figure or not how.differs)
        assert how.figure in {"", "zero_shot_oa", "clip_score", *DEFINITIONS, *SPECTRAL}


def test_figures_are_those_of_the_sources():
    assert BENCHMARKS["qxs-saropt"].methods["CycleGAN"] == {
        "fid": 104.4, "dists": 0.376, "lpips": 0.653, "ssim": 0.262, "psnr_db": 12.92
    }  # fmt: skip
    assert BENCHMARKS["sen12-v2"].methods["pix2pix, 180 epochs"] == {"fid": 185.04}
    assert BENCHMARKS["rsicd"].methods["Text2Earth"] == {"fid": 24.49, "zero_shot_oa": 90.26, "clip_score": 25.62}
    assert BENCHMARKS["chikusei-x8"].methods["SSPSR"] == {"mpsnr": 35.837, "sam": 4.013, "ergas": 4.312}


def test_the_public_division_of_sen12_is_labelled():
    one = BENCHMARKS["sen12-v2"]
    assert "12,800 / 1,600 / 1,600" in one.split and one.note.startswith("patches of the same scenes on both sides")
