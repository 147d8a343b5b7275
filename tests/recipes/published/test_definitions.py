"""Our figures of cubes beside the definitions of SSPSR and MST++: where they are the same, and where not."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from rsforge.metrics.image_means import derive_means, measure_image
from rsforge.metrics.spectral_sums import derive_figures, measure_sums
from rsforge.recipes.published.definitions import define_figures

GAIN, OFFSET = torch.ones(1), torch.zeros(1)


def draw_cube(seed: int, error: float):
    """A prediction and a truth ``(B, H, W)`` in [0, 1], of which no value is small."""
    rng = np.random.default_rng(seed)
    truth = rng.uniform(0.2, 0.8, (6, 16, 16)).astype(np.float32)
    return np.clip(truth + rng.normal(0, error, truth.shape), 0, 1).astype(np.float32), truth


def measure_ours(*cubes):
    valid = torch.ones(16, 16, dtype=torch.bool)
    sums = [measure_sums(torch.from_numpy(x), torch.from_numpy(y), valid, gain=GAIN, offset=OFFSET) for x, y in cubes]
    return derive_figures({name: sum(one[name] for one in sums) for name in sums[0]}, gain=GAIN.numpy(), scale=8)


def measure_theirs(x, y):
    """SSPSR's SAM, RMSE, ERGAS and MPSNR; MST++'s MRAE and PSNR."""
    x, y = x.astype(float), y.astype(float)
    cosine = (x * y).sum(0) / np.linalg.norm(x, axis=0) / np.linalg.norm(y, axis=0)
    square = ((x - y) ** 2).mean((1, 2))
    return {
        "sam_deg": np.degrees(np.arccos(cosine)).mean(),
        "rmse": np.linalg.norm(x - y) / np.sqrt(x.size),
        "ergas": 100 / 8 * np.sqrt((square / y.mean((1, 2)) ** 2).mean()),
        "mrae": (np.abs(x - y) / y).mean(),
        "psnr_db": 10 * np.log10(1 / square.mean()),
        "mpsnr": (10 * np.log10(1 / square)).mean(),
    }


def test_of_one_image_they_are_the_same_but_the_mean_over_bands():
    cube = draw_cube(0, 0.05)
    ours, theirs = measure_ours(cube), measure_theirs(*cube)
    for name in ("sam_deg", "rmse", "ergas", "mrae", "psnr_db"):
        assert ours[name] == pytest.approx(theirs[name], rel=1e-5), name
    assert ours["psnr_db"] < theirs["mpsnr"]


def test_of_several_images_the_angle_alone_is_the_same():
    cubes = [draw_cube(0, 0.01), draw_cube(1, 0.1)]
    ours, each = measure_ours(*cubes), [measure_theirs(*cube) for cube in cubes]
    means = {name: np.mean([one[name] for one in each]) for name in each[0]}
    assert ours["sam_deg"] == pytest.approx(means["sam_deg"], rel=1e-5)
    for name in ("rmse", "ergas", "psnr_db"):
        assert ours[name] != pytest.approx(means[name], rel=0.01), name


def test_of_several_images_the_means_are_the_same():
    cubes = [draw_cube(0, 0.01), draw_cube(1, 0.1)]
    each = [measure_theirs(*cube) for cube in cubes]
    sums = []
    for x, y in ([torch.from_numpy(one) for one in cube] for cube in cubes):
        valid = torch.ones(16, 16, dtype=torch.bool)
        of_image = measure_sums(x, y, valid, gain=GAIN, offset=OFFSET)
        sums.append(measure_image(x, y, valid, of_image, scale=8))
    ours = derive_means({name: sum(one[name] for one in sums) for name in sums[0]}, peak=1.0)
    theirs = {name: np.mean([one[name] for one in each]) for name in each[0]}
    for name in ("sam_deg", "rmse", "ergas", "mrae", "psnr_db"):
        assert ours[f"mean_{name}"] == pytest.approx(theirs[name], rel=1e-5), name
    assert ours["mpsnr_db"] == pytest.approx(theirs["mpsnr"], rel=1e-5)


def test_definitions_name_both_conventions_of_lpips_and_what_is_no_mpsnr():
    found = define_figures(["l1", "lpips", "fid"])
    assert list(found) == ["lpips", "fid"] and "[-1, 1]" in found["lpips"] and "[0, 1]" in found["lpips"]
    assert "torch-fidelity" in found["fid"] and "MPSNR" in define_figures(["psnr_db"], spectral=True)["psnr_db"]
