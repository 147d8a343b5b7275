"""With published weights the perceptual losses and LPIPS say what their authors say."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch.nn import functional as F

from rsforge.engine.journal import read
from rsforge.losses.perceptual import perceptual
from rsforge.metrics.lpips import Lpips
from rsforge.models.vgg import load_vgg16
from tests.worlds.commands import rsforge

EXAMPLE = "lpips_example"
"""A folder with the three images of the README of richzhang/PerceptualSimilarity: ex_ref, ex_p0 and ex_p1."""
TILES = "tiles/rsscn7_128px_derived"
PAIRS = "sar_optical/sih1733_rgb_patches"


def read_image(path: Path):
    with Image.open(path) as image:
        pixels = np.asarray(image.convert("RGB"), dtype=np.float32)
    return torch.from_numpy(pixels / 127.5 - 1).permute(2, 0, 1)[None]


@pytest.fixture(scope="module")
def example(real_data):
    paths = [real_data / EXAMPLE / f"ex_{name}.png" for name in ("ref", "p0", "p1")]
    if not all(path.is_file() for path in paths):
        pytest.skip(f"the example of LPIPS is not in {EXAMPLE}")
    return [read_image(path) for path in paths]


@pytest.fixture(scope="module")
def tiles(real_data, tmp_path_factory):
    """Every twentieth tile, of all classes."""
    folder = tmp_path_factory.mktemp("tiles")
    for path in sorted((real_data / TILES).rglob("*.jpg"))[::20]:
        shutil.copy(path, folder)
    return folder


@pytest.fixture(scope="module")
def lpips(real_weights):
    return Lpips(torch.load(real_weights.vgg16, weights_only=True))


def test_alexnet_judges_the_example_as_its_authors_print_it(real_weights, example):
    reference, p0, p1 = example
    network = Lpips(torch.load(real_weights.alexnet, weights_only=True), net="alex")
    distances = [round(float(network(reference, other)), 3) for other in (p0, p1)]
    assert distances == [0.722, 0.138]


@pytest.mark.parametrize("net", ["vgg", "alex"])
def test_the_heads_are_those_that_others_publish(real_weights, net):
    backbone, heads = real_weights[:2] if net == "vgg" else real_weights[2:]
    ours = Lpips(torch.load(backbone, weights_only=True), net=net).network.state_dict()
    theirs = torch.load(heads, weights_only=True)
    for number in range(5):
        head = theirs[f"NetLinLayer_{number}/Conv_0/kernel"]
        torch.testing.assert_close(ours[f"lin{number}.model.1.weight"].flatten(), head.flatten())


def test_vgg16_judges_as_its_formula_says(real_weights, lpips, tiles):
    """Zhang et al. 2018, Eq. 1, over torchvision's network: weighted means of squared differences of unit features."""
    from torchvision.models import vgg16

    with torch.device("meta"):
        layers = vgg16(weights=None).features
    state = torch.load(real_weights.vgg16, weights_only=True)
    layers.load_state_dict({name.removeprefix("features."): value for name, value in state.items()}, assign=True)
    heads = torch.load(real_weights.vgg16_heads, weights_only=True)
    shift, scale = (torch.tensor(v).view(1, 3, 1, 1) for v in ([-0.03, -0.088, -0.188], [0.458, 0.448, 0.45]))
    first, *others = (read_image(path) for path in sorted(tiles.iterdir())[:3])
    for other in others:
        x, y, total = (first - shift) / scale, (other - shift) / scale, 0.0
        with torch.no_grad():
            for number, (begin, end) in enumerate([(0, 4), (4, 9), (9, 16), (16, 23), (23, 30)]):
                x, y = layers[begin:end](x), layers[begin:end](y)
                apart = (F.normalize(x) - F.normalize(y)).square()
                total += float((apart * heads[f"NetLinLayer_{number}/Conv_0/kernel"].view(1, -1, 1, 1)).sum(1).mean())
        assert float(lpips(first, other)) == pytest.approx(total, rel=1e-4)


def test_descending_the_perceptual_loss_brings_images_nearer_to_the_eye(real_weights, lpips, tiles):
    """Squared differences of features, as vae train takes them, and absolute ones, as cyclegan train does."""
    vgg = load_vgg16(real_weights.vgg16)
    tile = read_image(min(tiles.iterdir()))[..., :64, :64]
    noisy = tile + 0.3 * torch.randn(tile.shape, generator=torch.Generator().manual_seed(0))
    for distance in (F.mse_loss, F.l1_loss):
        image = noisy.clone().requires_grad_()
        optimizer = torch.optim.Adam([image], 0.02)
        for _ in range(15):
            optimizer.zero_grad()
            perceptual(vgg, image, tile, distance=distance).backward()
            optimizer.step()
        with torch.no_grad():
            assert lpips(image, tile) < 0.7 * lpips(noisy, tile)


def test_trainings_and_figures_take_them(real_weights, tiles, real_data, tmp_path, capsys):
    line = "vae train --config vae-tiny --data-dir {} --output-dir {} --vgg-weights {} --perceptual auto --epochs 1"
    vae = tmp_path / "vae"
    assert rsforge(f"{line} --report-to none", tiles, vae, real_weights.vgg16) == 0
    assert {row["perceptual"] > 0 for row in read(vae / "journal.jsonl") if "perceptual" in row} == {True}
    line = "cyclegan train --config cyclegan-tiny --data-dir {} --output-dir {} --vgg-weights {} --lambda-content 1"
    line += " --epochs 1 --base-width 4 --report-to none"
    assert rsforge(line, real_data / PAIRS, tmp_path / "gan", real_weights.vgg16) == 0
    assert read(tmp_path / "gan" / "journal.jsonl")[-1]["val/content"] > 0
    capsys.readouterr()
    line = "vae evaluate --checkpoint {} --data-dir {} --vgg-weights {} --json -q"
    assert rsforge(line, vae / "best_model.pt", tiles, real_weights.vgg16) == 0
    figures = json.loads(capsys.readouterr().out.splitlines()[-1])["figures"]
    assert 0 < figures["model"]["lpips"]["mean"] < 1.5
