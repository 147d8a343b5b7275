"""Both stages belong together, and a projection needs a response that is known."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from rsforge.errors import RsforgeError
from rsforge.recipes.hsi.load_stages import load_stages
from rsforge.settings.hsi_predict import HsiPredictSettings
from tests.worlds.consoles import RecordingConsole
from tests.worlds.spectral_checkpoints import draw_stage2, write_sensor, write_stage1, write_stage2
from tests.worlds.spectral_patches import BANDS, WAVELENGTH_NM, WEIGHTS

CPU = torch.device("cpu")


def load(first, second=None, console=None, **more):
    settings = HsiPredictSettings(stage1_checkpoint=first, stage2_checkpoint=second, input="a", output="b", **more)
    return load_stages(settings, CPU, console or RecordingConsole())


def refuse(code, *arguments, **more):
    with pytest.raises(RsforgeError) as caught:
        load(*arguments, **more)
    assert caught.value.code == code
    return caught.value


def test_stages_of_the_same_bands_are_taken(tmp_path):
    stages = load(write_stage1(tmp_path / "1.pth"), write_stage2(tmp_path / "2.pth"))
    assert str(stages.scale) == "15/2" and stages.bands == BANDS and stages.response is None
    assert load(tmp_path / "1.pth").scale == 1


@pytest.mark.parametrize(
    ("entries", "clause"),
    [
        (
            {"wavelength_nm": (WAVELENGTH_NM + 100).tolist()},
            "the centre of band 1 in nm is 420 in stage 1 and 520 in stage 2",
        ),
        ({"unit": "reflectance"}, "the unit is radiance in stage 1 and reflectance in stage 2"),
    ],
)
def test_stages_of_other_bands_or_units_are_refused(tmp_path, entries, clause):
    error = refuse("RSF-C006", write_stage1(tmp_path / "1.pth"), write_stage2(tmp_path / "2.pth", **entries))
    assert clause in error.what


def test_a_stage_2_of_another_stage_1_is_said(tmp_path):
    first, console = write_stage1(tmp_path / "1.pth"), RecordingConsole()
    own = load(first).spectral.loaded.digest
    load(first, write_stage2(tmp_path / "2.pth", partners={"stage1": {"digest": own, "path": ""}}), console)
    assert console.warned == []
    load(first, write_stage2(tmp_path / "2.pth", partners={"stage1": {"digest": "other", "path": ""}}), console)
    assert console.warned == ["stage 2 was trained on predictions of another stage 1 than this"]


def test_the_response_is_that_of_the_training_at_its_wavelengths(tmp_path):
    sensor = write_sensor(tmp_path / "sensor.csv")
    stages = load(write_stage1(tmp_path / "1.pth"), project=True, sensor=str(sensor))
    assert stages.response.shape == (3, BANDS)
    torch.testing.assert_close(stages.response.sum(1), torch.ones(3, dtype=torch.float64))
    middle = (stages.response @ torch.from_numpy(WAVELENGTH_NM)).numpy()
    np.testing.assert_allclose(middle, [620, 1200, 1900], atol=20)


def test_the_stored_response_is_taken_where_no_sensor_is_named(tmp_path):
    first, sensor = tmp_path / "1.pth", str(write_sensor(tmp_path / "sensor.csv"))
    write_stage1(first, sensor="own", response=WEIGHTS.tolist())
    assert np.array_equal(load(first, project=True).response.numpy(), WEIGHTS)
    console = RecordingConsole()
    other = load(first, project=True, sensor=sensor, console=console).response.numpy()
    assert other.shape == WEIGHTS.shape and not np.allclose(other, WEIGHTS)
    assert "has another response than the patches of the training (Landsat band" in console.warned[0]
    write_stage1(first, response=other.tolist())
    load(first, project=True, sensor=sensor, console=console)
    assert len(console.warned) == 1
    for wrong in (WEIGHTS.T.tolist(), [["a"]], [[1.0], [1.0, 2.0]]):
        assert "response" in refuse("RSF-C003", write_stage1(first, response=wrong), project=True).what


@pytest.mark.parametrize(
    ("entries", "sensor", "code", "clause"),
    [
        ({"wavelength_nm": []}, "sensor", "RSF-U005", "knows no wavelengths"),
        ({}, None, "RSF-U005", "does not say which sensor"),
        ({}, "landsat8", "RSF-U005", "landsat8 has 7 bands, 3 are needed"),
        ({"landsat_names": ["blue", "b1", "b2"]}, "sensor", "RSF-U007", "no band blue"),
        ({"wavelength_nm": np.linspace(400, 1000, BANDS).tolist()}, "sensor", "RSF-D014", "does not cover"),
        ({}, "no-such-sensor", "RSF-U007", "no sensor or file"),
    ],
)
def test_a_projection_without_a_response_is_refused(tmp_path, entries, sensor, code, clause):
    chosen = str(write_sensor(tmp_path / "sensor.csv")) if sensor == "sensor" else sensor
    error = refuse(code, write_stage1(tmp_path / "1.pth", **entries), project=True, sensor=chosen)
    assert clause in error.what


def test_a_scale_of_too_long_a_period_is_not_projected(tmp_path):
    second = write_stage2(tmp_path / "2.pth", draw_stage2("31/11"))
    sensor = str(write_sensor(tmp_path / "sensor.csv"))
    assert "31/11" in refuse("RSF-U005", write_stage1(tmp_path / "1.pth"), second, project=True, sensor=sensor).what


def test_an_option_without_effect_is_said(tmp_path):
    console = RecordingConsole()
    load(write_stage1(tmp_path / "1.pth"), None, console, sensor="landsat8")
    assert console.warned == ["--sensor is not used: only --project needs a response"]
