"""Real sets of pairs become training data, or say why they cannot."""

from __future__ import annotations

from pathlib import Path

import pytest

from rsforge.errors import RsforgeError
from rsforge.recipes.console import SilentConsole
from rsforge.recipes.datasets import pairs as pair_datasets
from rsforge.settings.base import RunSettings
from rsforge.settings.pairs import PairTrainingSettings


def load(root: Path, **data) -> pair_datasets.PairSets:
    settings = PairTrainingSettings(data_dir=str(root), image_size=64, **data)
    return pair_datasets.load_pairs(settings, RunSettings(output_dir=root / "absent"), SilentConsole())


@pytest.mark.parametrize(
    ("name", "options", "train", "held_out", "bands"),
    [
        ("sen12_gray_terrain", {"allow_gray_optical": True, "allow_leak": True, "max_per_terrain": 5}, 12, 3, 1),
        ("sen12_rgb_png/spring_roi90", {"val_fraction": 0}, 15, 0, 1),
        ("sih1733_rgb_patches", {}, 8, 8, 1),
        ("sih1733_rgb_patches", {"unpaired": True}, 8, 8, 1),
        ("terramind_geotiff", {"allow_leak": True}, 2, 1, 2),
    ],
)
def test_real_sets_are_loaded(real_data, name, options, train, held_out, bands):
    pairs = load(real_data / "sar_optical" / name, **options)
    assert (pairs.identity["train"], pairs.identity["held_out"], pairs.sar_channels) == (train, held_out, bands)
    x, y = pairs.train[0, 0]
    assert x.shape == (bands, 64, 64) and y.shape == (3, 64, 64)
    for image in (x, y):
        assert -1 <= image.min() < image.max() <= 1


@pytest.mark.parametrize(
    ("name", "code", "word"),
    [
        ("sen12_gray_terrain", "RSF-D009", "--allow-gray-optical"),
        ("sen12_rgb_png/spring_roi90", "RSF-D004", "rsforge data split"),
        ("terramind_geotiff", "RSF-D011", "--allow-leak"),
        ("sih1733_scenes", "RSF-D009", "rsforge data tile"),
    ],
)
def test_what_cannot_be_divided_or_used_says_what_to_do(real_data, name, code, word):
    with pytest.raises(RsforgeError) as caught:
        load(real_data / "sar_optical" / name)
    assert caught.value.code == code and word in caught.value.fix
