"""Rasters through a function of tiles into rasters of another scale, with their gaps."""

from __future__ import annotations

import math
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from rsforge.data.io.georeference import RasterInfo
from rsforge.data.io.rasters import read_info, read_raster
from rsforge.data.scenes.tiling import TileGrid, scale_mask
from rsforge.data.views.view import PLAIN, View
from rsforge.errors import RsforgeError
from rsforge.recipes.console import SilentConsole
from rsforge.recipes.inference.skipped_images import SkippedImages
from rsforge.recipes.inference.tiled import ImageJob, Tiled, readable
from tests.worlds.awkward_images import colours, decibels, geotiff
from tests.worlds.rasters import write


def job_of(path: Path, scale: Fraction, *, tile: int, overlap: int) -> ImageJob:
    info = read_info(path)
    grid = TileGrid(info.height, info.width, tile, overlap, scale)
    height, width = grid.result_size
    target = RasterInfo(path.with_name(f"made_{path.name}"), height, width, info.bands, "float32", np.nan, None, "")
    return ImageJob(info, target, None, grid)


def indices(count: int, scale: Fraction) -> list[int]:
    return [int((i + Fraction(1, 2)) / scale) for i in range(int(count * scale))]


def nearest(x: Tensor, scale: Fraction) -> Tensor:
    rows, cols = (indices(count, scale) for count in x.shape[-2:])
    return x[..., rows, :][..., cols]


def run(jobs: list[ImageJob], network, batch_size: int = 4) -> list[ImageJob]:
    console = SilentConsole()
    tiled = Tiled(network, batch_size, lambda values, valid: np.where(valid[..., None], values, 0), lambda x: x)
    with console.progress("tile", 1) as meter:
        return list(tiled.run(jobs, SkippedImages(console, "error"), meter))


@pytest.mark.parametrize("scale", [Fraction(15, 2), Fraction(1, 3), Fraction(1)])
@pytest.mark.parametrize("batch_size", [1, 64])
def test_images_of_another_scale_are_written_with_their_gaps(tmp_path, scale, batch_size):
    jobs = []
    for k, (height, width) in enumerate([(34, 21), (13, 50)]):
        values = np.random.default_rng(k).uniform(-1, 1, (height, width, 2)).astype(np.float32)
        values[3:9, :7] = np.nan
        path = write(tmp_path / f"{k}.tif", values)
        jobs.append(job_of(path, scale, tile=12, overlap=4))
    assert run(jobs, lambda x, windows: nearest(x, scale), batch_size) == jobs
    for job in jobs:
        source, made = read_raster(job.source.path), read_raster(job.target.path)
        expected = nearest(torch.from_numpy(np.moveaxis(source.values, -1, 0)), scale).numpy()
        assert np.array_equal(made.valid, scale_mask(source.valid, scale))
        assert made.values.shape[:2] == job.grid.result_size and made.valid.any() and not made.valid.all()
        assert np.abs(made.values - np.moveaxis(expected, 0, -1))[made.valid].max() <= 1e-6


def test_the_network_is_told_where_every_tile_of_a_batch_lies(tmp_path):
    paths = [write(tmp_path / f"{k}.tif", np.ones((20, 30, 1), np.float32)) for k in range(2)]
    jobs = [job_of(path, Fraction(3, 2), tile=16, overlap=4) for path in paths]
    told = []

    def network(x: Tensor, windows) -> Tensor:
        assert len(x) == len(windows) and {window.target.height for window in windows} == {24}
        told.extend(windows)
        columns = [torch.arange(window.target.col, window.target.col + 24) for window in windows]
        return torch.stack([column.expand(1, 24, 24) for column in columns])

    run(jobs, network, batch_size=100)
    assert told == [window for job in jobs for window in job.grid.windows()]
    for job in jobs:
        made = read_raster(job.target.path).values[..., 0]
        assert made == pytest.approx(np.broadcast_to(np.arange(45.0), (30, 45)), abs=1e-4)


def test_jobs_of_other_tiles_or_scales_do_not_share_a_batch(tmp_path):
    paths = [write(tmp_path / f"{k}.tif", np.ones((8, 8, 1), np.float32)) for k in range(3)]
    jobs = [job_of(path, scale, tile=8, overlap=0) for path, scale in zip(paths, map(Fraction, (1, 2, 2)), strict=True)]
    shapes = []

    def network(x: Tensor, windows) -> Tensor:
        shapes.append(len(x))
        return nearest(x, Fraction(windows[0].target.height, 8))

    run(jobs, network, batch_size=8)
    assert shapes == [1, 2] and [math.prod(read_raster(job.target.path).values.shape) for job in jobs] == [64, 256, 256]


def test_images_are_read_as_those_of_the_training_were(tmp_path):
    vv = decibels(0)
    path = geotiff(tmp_path / "a.tif", np.dstack([vv - 8, vv]), names=("VH", "VV"))
    with readable(path, View(bands=("vv", "vh")), "sar") as raster:
        assert np.array_equal(raster.read(raster.info.whole).values, np.dstack([vv, vv - 8]))
    with pytest.raises(RsforgeError, match="no band 'hh'") as refused, readable(path, View(bands=("hh",)), "sar"):
        pass
    assert refused.value.code == "RSF-D003" and "2 bands: 1 VH, 2 VV" in refused.value.found
    many = geotiff(tmp_path / "b.tif", np.repeat(colours(0), 2, axis=-1), photometric="MINISBLACK")
    with pytest.raises(RsforgeError, match="6 bands") as refused, readable(many, PLAIN, "optical"):
        pass
    assert refused.value.code == "RSF-D003" and "--bands" in refused.value.fix


def test_what_is_no_number_is_refused_and_not_written(tmp_path):
    job = job_of(write(tmp_path / "a.tif", np.ones((8, 8, 1), np.float32)), Fraction(1), tile=8, overlap=0)
    with pytest.raises(RsforgeError) as raised:
        run([job], lambda x, windows: x * math.nan)
    assert raised.value.code == "RSF-T004" and "tile at 0, 0" in raised.value.where
    assert not job.target.path.exists()
