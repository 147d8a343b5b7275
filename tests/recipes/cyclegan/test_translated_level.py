"""SAR images of another level than those of the training are named before they are translated."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from rsforge.data.sar.radiometry import EIGHT_BIT, Radiometry
from rsforge.engine import checkpoint
from rsforge.models.local_statistics import FEATURES
from tests.worlds.cyclegan import write_checkpoint
from tests.worlds.pairs import save
from tests.worlds.translation import DB, raster, translate

USUAL = {"mean": torch.zeros(len(FEATURES)), "scale": torch.full((len(FEATURES),), 0.1)}
"""Levels of images around 0 in [-1, 1]: 127.5 of 8 bits."""
SAID = "another level than those of the training"


def write_model(path, radiometry: Radiometry = EIGHT_BIT, level: str = ""):
    state = write_checkpoint(path, radiometry=radiometry)
    if level:
        state["architecture"]["gen_AB"] |= {"level": level}
    checkpoint.save(path, state | {"baselines": {"linear_sar": USUAL}})
    return path


def warn(capsys, model, place, options: str = "--dry-run") -> str:
    assert translate(f"--input {{}} --output {{}} {options}", model, place, place.with_name(f"{place.name}_out")) == 0
    return capsys.readouterr().err


@pytest.mark.parametrize(("grey", "said"), [(220, True), (130, False)])
def test_another_level_is_named_and_the_usual_one_is_not(tmp_path, capsys, grey, said):
    model = write_model(tmp_path / "model.pt")
    for name in ("a.png", "b.png"):
        save(tmp_path / "in" / name, np.full((40, 40), grey, np.uint8))
    told = warn(capsys, model, tmp_path / "in", "")
    assert (SAID in told) == said
    assert ("0.73 and 0.00 on [-1, 1], 7.3 deviations apart" in told) == said
    save(tmp_path / "optical/a.png", np.full((40, 40, 3), grey, np.uint8))
    assert SAID not in warn(capsys, model, tmp_path / "optical", "--dry-run --direction optical2sar")


def test_pixels_without_data_are_no_level(tmp_path, capsys):
    values = np.full((200, 200, 1), 130, np.uint8)
    values[:, 60:] = 255
    raster(tmp_path / "in/a.tif", values, nodata=255)
    raster(tmp_path / "in/b.tif", np.full((40, 40, 1), 255, np.uint8), nodata=255)
    assert SAID not in warn(capsys, write_model(tmp_path / "model.pt"), tmp_path / "in")


def test_a_known_unit_has_one_level_everywhere(tmp_path, capsys):
    raster(tmp_path / "in/a.tif", np.full((40, 40, 1), -1, np.float32))
    assert SAID not in warn(capsys, write_model(tmp_path / "model.pt", DB), tmp_path / "in")


def test_a_generator_that_standardises_sees_no_level(tmp_path, capsys):
    save(tmp_path / "in/a.png", np.full((40, 40), 220, np.uint8))
    model = write_model(tmp_path / "model.pt", level="standardise")
    assert SAID not in warn(capsys, model, tmp_path / "in")
