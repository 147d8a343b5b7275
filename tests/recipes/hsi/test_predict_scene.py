"""A scene in tiles is the scene in one piece, and projections give back what Landsat measured."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
import torch

from rsforge.data.cubes.resample import area_weights
from rsforge.data.io.windows import Window
from rsforge.data.scenes.core_tiles import scale_window, window_within
from rsforge.data.scenes.landsat_scene import BandRequest, open_landsat
from rsforge.errors import RsforgeError
from rsforge.models.spectral.spatial_sr import LightweightSR, SpatialSR
from rsforge.models.spectral.transformer import SpectralTransformer
from rsforge.models.spectral.unmixing import SpectralUnmixing
from rsforge.recipes.console import SilentConsole
from rsforge.recipes.hsi.load import load_spatial, load_spectral
from rsforge.recipes.hsi.predict_scene import plan_tiles, predict_scene
from rsforge.recipes.hsi.prediction import Stages, predict_detail, predict_spectra
from tests.worlds.spectral_checkpoints import draw_landsat, draw_stage2, write_landsat, write_stage1, write_stage2
from tests.worlds.spectral_patches import BANDS, WEIGHTS

CPU = torch.device("cpu")
RESPONSE = torch.from_numpy(WEIGHTS).double()


def draw_transformer(window: int = 8) -> SpectralTransformer:
    torch.manual_seed(0)
    network = SpectralTransformer(bands=BANDS, in_channels=3, width=4, blocks=1, heads=1, window=window)
    torch.nn.init.normal_(network.leave.weight, std=0.2)
    return network


def draw_attention(window: int) -> SpatialSR:
    torch.manual_seed(0)
    network = SpatialSR(bands=BANDS, scale="15/2", width=8, groups=1, blocks=1, window=window)
    torch.nn.init.normal_(network.leave.weight, std=0.2)
    return network


def stages(folder, first=None, second=None, response=None) -> Stages:
    spectral = load_spectral(write_stage1(folder / "1.pth", first), CPU)
    spatial = load_spatial(write_stage2(folder / "2.pth", second), CPU) if second else None
    return Stages(spectral, spatial, response)


def run(folder, model: Stages, values: np.ndarray, tile=None, overlap=None):
    """The result ``(bands, H, W)``, how often each pixel was written, and the figures."""
    height, width = values.shape[:2]
    size = scale_window(Window(0, 0, height, width), model.scale)
    result, count = np.zeros((BANDS, *size[2:]), np.float32), np.zeros(size[2:], int)

    def put(window, pixels):
        rows, cols = window_within(window, size)
        result[:, rows, cols] = pixels
        count[rows, cols] += 1

    with (
        open_landsat(write_landsat(folder / "s.tif", values), BandRequest(3)) as scene,
        SilentConsole().progress("", 1) as meter,
    ):
        figures = predict_scene(model, scene, plan_tiles(model, height, width, tile, overlap), put, meter)
    assert (count == 1).all()
    return result, figures


def whole(model: Stages, values: np.ndarray) -> np.ndarray:
    spectra = predict_spectra(model.spectral, torch.from_numpy(values).movedim(-1, 0))
    return (predict_detail(model.spatial, spectra) if model.spatial else spectra).numpy()


@pytest.mark.parametrize("tile", [26, 50, 100])
def test_a_scene_in_tiles_is_the_scene_in_one_piece(tmp_path, tile):
    model, values = stages(tmp_path), draw_landsat(300, 200)
    result, figures = run(tmp_path, model, values, tile)
    np.testing.assert_allclose(result, whole(model, values), rtol=0, atol=1e-5)
    assert figures.seams.count > 1000 and figures.seams.largest < 1e-5 and figures.valid == 60_000


@pytest.mark.parametrize(("height", "width"), [(34, 34), (67, 45), (101, 33)])
def test_both_stages_in_tiles_are_both_stages_in_one_piece(tmp_path, height, width):
    model, values = stages(tmp_path, None, draw_stage2()), draw_landsat(height, width)
    result, figures = run(tmp_path, model, values, tile=58)
    assert result.shape == (BANDS, height * 15 // 2, width * 15 // 2)
    np.testing.assert_allclose(result, whole(model, values), rtol=0, atol=1e-5)
    assert figures.seams.largest < 1e-5


def test_corrections_and_gaps_leave_no_seam(tmp_path):
    """Gaps are filled, and means corrected, from as far as tiles share."""
    network = LightweightSR(bands=BANDS, scale="15/2", width=4, layers=1, corrections=2)
    torch.nn.init.normal_(network.leave.weight, std=0.2)
    model, values = stages(tmp_path, None, network), draw_landsat(110, 40)
    values[20:60, 10:14] = values[27:36] = np.nan
    result, figures = run(tmp_path, model, values, tile=70)
    np.testing.assert_allclose(result, whole(model, values), rtol=0, atol=1e-5)
    assert figures.seams.count and figures.seams.largest < 1e-5 and np.isnan(result).any()


def test_34_pixels_become_255(tmp_path):
    assert run(tmp_path, stages(tmp_path, None, draw_stage2()), draw_landsat(34, 34))[0].shape[1:] == (255, 255)


@pytest.mark.parametrize("network", [draw_transformer(), SpectralUnmixing(bands=BANDS, in_channels=3, count=3)])
def test_tiles_begin_where_windows_of_attention_do(tmp_path, network):
    model, values = stages(tmp_path, network), draw_landsat(70, 61)
    result, _ = run(tmp_path, model, values, tile=44)
    np.testing.assert_allclose(result, whole(model, values), rtol=0, atol=1e-5)


def test_bounded_attention_of_stage_2_leaves_no_seam(tmp_path):
    model, values = stages(tmp_path, None, draw_attention(3)), draw_landsat(70, 40)
    result, figures = run(tmp_path, model, values, tile=66)
    np.testing.assert_allclose(result, whole(model, values), rtol=0, atol=1e-5)
    assert figures.seams.count and figures.seams.largest < 1e-5


def test_attention_over_the_whole_image_leaves_seams_that_are_told(tmp_path):
    model, values = stages(tmp_path, None, draw_attention(0)), draw_landsat(70, 40)
    values[:35] *= 2
    plan = plan_tiles(model, 70, 40, 64, None)
    assert plan.short and plan.second.margin == 4 and not plan_tiles(model, 30, 30, 64, None).short
    _, figures = run(tmp_path, model, values, tile=64)
    assert figures.seams.largest > 1e-4 > 0 and figures.seams.figures()["mean"] < figures.seams.largest


def test_too_little_overlap_is_known_and_its_seams_are_told(tmp_path):
    model, values = stages(tmp_path), draw_landsat(60, 40)
    assert plan_tiles(model, 60, 40, 24, 4).short and not plan_tiles(model, 60, 40, 26, None).short
    _, figures = run(tmp_path, model, values, 24, 4)
    assert figures.seams.largest > 1e-3


def test_a_tile_without_a_pixel_of_its_own_is_refused(tmp_path):
    with pytest.raises(RsforgeError) as caught:
        plan_tiles(stages(tmp_path), 300, 200, 20, None)
    assert caught.value.code == "RSF-U005" and caught.value.fix == "use --tile 26 or more"


def test_gaps_are_gaps_and_change_nothing_far_from_them(tmp_path):
    model, values = stages(tmp_path), draw_landsat(80, 60)
    broken = values.copy()
    broken[:40, :30] = np.nan
    result, figures = run(tmp_path, model, broken, tile=26)
    assert np.isnan(result[:, :40, :30]).all() and np.isfinite(result[:, 40:]).all()
    np.testing.assert_allclose(result[:, 45:], whole(model, values)[:, 45:], rtol=0, atol=1e-5)
    assert figures.valid == 80 * 60 - 40 * 30


def test_projected_spectra_give_what_landsat_measured(tmp_path):
    model, values = stages(tmp_path, response=RESPONSE), draw_landsat(50, 40)
    result, figures = run(tmp_path, model, values, tile=26)
    measured = np.moveaxis(values, -1, 0)
    seen = np.einsum("kb,bhw->khw", WEIGHTS, result.astype(float))
    assert np.abs(seen - measured).max() <= 1e-5 * measured.max() and result.min() >= 0
    assert figures.unmet == 0 and figures.as_dict(projected=True)["unmet"] == 0
    assert np.abs(np.einsum("kb,bhw->khw", WEIGHTS, whole(model, values)) - measured).max() > 0.1


@pytest.mark.parametrize("size", [(40, 36), (35, 33)])
def test_area_means_of_projected_detail_give_what_landsat_measured(tmp_path, size):
    model, values = stages(tmp_path, None, draw_stage2(), RESPONSE), draw_landsat(*size)
    result, figures = run(tmp_path, model, values, tile=58)
    rows, cols = (area_weights(side, Fraction(15, 2)) for side in result.shape[1:])
    means = rows @ result.astype(float) @ cols.T
    measured = np.moveaxis(values, -1, 0)[:, : len(rows), : len(cols)]
    assert np.abs(np.einsum("kb,bhw->khw", WEIGHTS, means) - measured).max() <= 1e-5 * measured.max()
    assert result.min() >= 0 and figures.unmet == 0


def test_what_no_spectrum_gives_is_counted(tmp_path):
    values = draw_landsat(20, 20)
    values[3, 4] = -1
    _, figures = run(tmp_path, stages(tmp_path, response=RESPONSE), values)
    assert figures.unmet == 1 and figures.valid == 400
