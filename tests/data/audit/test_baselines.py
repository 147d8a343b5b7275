"""Images on both sides of a processing baseline."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from rsforge.data.audit.baselines import find_baseline_faults
from rsforge.data.audit.image_stats import measure_image
from tests.worlds.awkward_images import grain


def listed(*offsets: int, dtype: str = "uint16"):
    for k, offset in enumerate(offsets):
        values = (grain(k, 24, 200, 3000) + offset).astype(dtype)[..., None]
        yield f"p{k}", "optical", measure_image(values, np.ones((24, 24), bool))


def test_images_a_thousand_above_the_others_are_named():
    faults = list(find_baseline_faults(listed(0, 1000, 0, 1000, 0, 1000, 30)))
    assert {fault.item for fault in faults} == {"p1", "p3", "p5"}
    assert "begin at 1200" in faults[0].reason and "4 other images" in faults[0].reason


def test_what_is_alike_or_another_step_or_too_few_is_no_fault():
    assert not list(find_baseline_faults(listed(0, 0, 50, 100, 0, 20)))
    assert not list(find_baseline_faults(listed(0, 3000, 0, 3000, 0, 3000)))
    assert not list(find_baseline_faults(listed(0, 0, 0, 0, 1000)))
    assert not list(find_baseline_faults(listed(0, 1000, 0, 1000, 0, 1000, dtype="float32")))
    sar = [(item, "sar", replace(own)) for item, _, own in listed(0, 1000, 0, 1000, 0, 1000)]
    assert not list(find_baseline_faults(sar))
