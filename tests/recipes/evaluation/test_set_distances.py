from __future__ import annotations

import pytest
import torch

from rsforge.metrics.inception import FeatureSet, frechet_distance
from rsforge.recipes.evaluation.image_figures import IMAGE
from rsforge.recipes.evaluation.set_distances import SetDistances
from tests.worlds.evaluation import Crumbs

CPU = torch.device("cpu")


def images(count: int, seed: int) -> torch.Tensor:
    return torch.rand(count, 3, 8, 8, generator=torch.Generator().manual_seed(seed)) * 2 - 1


def result() -> dict:
    return {"figures": {"model": {}, "black": {}}, "absent": {}}


def test_distances_are_those_of_all_batches_together():
    x, y = images(12, 0), images(12, 1)
    distances, told = SetDistances(Crumbs(), "optical", count=12, seed=0, device=CPU), result()
    for part in (slice(0, 5), slice(5, 12)):
        predictions = {"model": {IMAGE: y[part]}, "black": {IMAGE: torch.full_like(y[part], -1)}}
        distances.update(predictions, {"optical": x[part]})
    warnings = distances.add_to(told, {})
    features = {}
    for name, image in (("x", x), ("y", y)):
        features[name] = FeatureSet()
        features[name].update(Crumbs()(((image + 1) * 127.5).round().byte()))
    expected = frechet_distance(features["x"], features["y"])
    assert told["figures"]["model"]["fid"] == pytest.approx(expected, rel=1e-3)
    assert told["figures"]["black"]["kid"]["mean"] > told["figures"]["model"]["kid"]["mean"]
    assert warnings == [told["fid_warning"], told["kid_warning"]] and "12 images" in warnings[0]


def test_without_a_network_or_with_one_image_they_are_null():
    for features, count in ((None, 5), (Crumbs(), 1)):
        distances, told = SetDistances(features, "optical", count=count, seed=0, device=CPU), result()
        x = images(count, 0)
        distances.update({"model": {IMAGE: x}, "black": {IMAGE: x}}, {"optical": x})
        assert distances.add_to(told, {}) == [] and told["figures"]["model"] == {"fid": None, "kid": None}
        assert bool(told["absent"]) == (count == 1)
    assert [figure.higher_is_better for figure in distances.figures] == [False, False]
