"""Digital numbers of Sentinel-2 of both sides of processing baseline 04.00, which added 1000 to all of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import pairwise
from statistics import median

from rsforge.data.audit.faults import DataFault
from rsforge.data.audit.image_stats import ImageStats

LEAST_GAP = 500.0  # between the lowest values of both groups
STEP = (800.0, 1300.0)  # between the medians of their lowest values
FEWEST = 3  # images of a group
DTYPE = "uint16"


def find_baseline_faults(stats: Iterable[tuple[str, str, ImageStats]]) -> Iterator[DataFault]:
    """Optical images, as (item, modality, statistics), whose lowest values begin about 1000 above those of others.

    Files whose tags say their baseline are not among them: 1000 is taken off when they are read.
    """
    lows = sorted(
        (own.overall.low, item, modality)
        for item, modality, own in stats
        if own.dtype == DTYPE and modality != "sar" and own.valid
    )
    if len(lows) < 2 * FEWEST:
        return
    gap, place = max((upper[0] - lower[0], k) for k, (lower, upper) in enumerate(pairwise(lows), 1))
    lower, upper = lows[:place], lows[place:]
    step = median(low for low, _, _ in upper) - median(low for low, _, _ in lower)
    if gap < LEAST_GAP or min(len(lower), len(upper)) < FEWEST or not STEP[0] <= step <= STEP[1]:
        return
    usual = median(low for low, _, _ in lower)
    for low, item, modality in upper:
        reason = f"its values begin at {low:g}, those of {len(lower)} other images at about {usual:g}"
        yield DataFault("baseline", item, reason, modality, {"low": low, "others": usual})
