"""Trains a map autoencoder on a folder of tiles, and measures it beside what costs nothing and beside diffusers' own.

Usage: ``python -m tests.learning.map_autoencoder --data-dir TILES [--folder F] [--seed N] [--steps N]
[--vgg-weights PATH] [OPTIONS OF VAE TRAIN]``. Prints PSNR, share of the chroma and, with weights, LPIPS of tiles that
chose nothing: of the trained autoencoder, of its linear start, of principal components and a thumbnail of as many
numbers, and of ``diffusers.AutoencoderKL`` of the same shape after as many steps of a plain loop on the same batches.
The weights also serve ``--perceptual yes``.
Exits with 10 where the trained one is not the best in PSNR, or is behind diffusers' in LPIPS.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import torch
from torch import Tensor

from rsforge.compat import ensure_torchvision
from rsforge.engine import checkpoint
from rsforge.metrics.image import chroma_share
from rsforge.recipes.console import SilentConsole
from rsforge.recipes.datasets.batches import stack_samples
from rsforge.recipes.datasets.image_folder import ImageSets, load_images
from rsforge.recipes.evaluation.baseline_predictors import component_baselines
from rsforge.recipes.evaluation.baselines import KEY
from rsforge.recipes.evaluation.image_figures import IMAGE, capped_psnr
from rsforge.recipes.evaluation.learned_metrics import build_lpips
from rsforge.recipes.vae.linear_start import start_linear
from rsforge.recipes.vae.load import load_autoencoder
from rsforge.recipes.vae.thumbnail import thumbnail_baseline
from rsforge.recipes.vae.train import build
from rsforge.settings.vae import VaeTrainSettings
from tests.learning.commands import BELOW_AIM, call

PASSED_ON = "vae train --data-dir tiles"
"""What further options go to."""
TARGET, SIZE, STEPS = "target", 64, 494
WIDTHS = (32, 64, 64)
SHAPE: dict[str, Any] = {
    "block_out_channels": WIDTHS, "layers_per_block": 1, "latent_channels": 4, "norm_num_groups": 8,
}  # fmt: skip
OPTIONS = (
    "--latent map --channels 32,64,64 --layers-per-block 1 --batch-size 4 --lr 1e-3 --lr-scheduler cosine "
    "--lr-warmup-steps 50 --ema --ema-decay 0.99 --no-perceptual --num-workers 0 --report-to none --overwrite --quiet "
    f"--image-size {SIZE} --save-every 1000 --sample-every 1000"
)
DIGITS = {"psnr_db": 2}
Reconstruct = Callable[[Tensor], Tensor]


def train_plainly(settings: VaeTrainSettings, data: ImageSets, steps: int) -> Reconstruct:
    """``diffusers.AutoencoderKL`` of the same shape: Adam, the same rate, its own KL weight of 1e-6 on the sum."""
    import diffusers

    torch.manual_seed(settings.run.seed)
    levels = len(WIDTHS)
    network = diffusers.AutoencoderKL(
        **SHAPE, down_block_types=("DownEncoderBlock2D",) * levels, up_block_types=("UpDecoderBlock2D",) * levels
    )
    rate, warm, size = settings.optim.learning_rate, settings.optim.lr_warmup_steps, settings.loop.batch_size
    optimizer = torch.optim.AdamW(network.parameters(), lr=rate, weight_decay=settings.optim.weight_decay)
    factor = [min(1, (k + 1) / warm) * (1 + math.cos(math.pi * k / steps)) / 2 for k in range(steps)]
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda k: factor[min(k, steps - 1)])
    order = torch.cat([torch.randperm(len(data.train)) for _ in range(-(-steps * size // len(data.train)))]).tolist()
    for step in range(steps):
        some, epoch = order[step * size : (step + 1) * size], step * size // len(data.train)
        x = torch.stack([data.train[epoch, k] for k in some])
        posterior = network.encode(x).latent_dist
        loss = (network.decode(posterior.sample()).sample - x).square().mean() + 1e-6 * posterior.kl().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    network.eval()
    return lambda x: network.decode(network.encode(x).latent_dist.mean).sample


@torch.no_grad()
def measure(made: Tensor, true: Tensor, lpips: torch.nn.Module | None) -> dict[str, float]:
    """PSNR in dB, share of the chroma and LPIPS: means over images ``(N, 3, H, W)``."""
    made = made.float().clamp(-1, 1)
    figures = {"psnr_db": capped_psnr(made, true), "chroma_share": chroma_share(made, true)}
    if lpips is not None:
        figures["lpips"] = torch.cat([lpips(y, x) for y, x in zip(made.split(16), true.split(16), strict=True)])
    return {name: float(values.mean()) for name, values in figures.items()}


def reconstruct_all(folder: Path, steps: int) -> tuple[dict[str, Tensor], Tensor]:
    """Images that chose nothing, through every way of reconstruction, by name, and as they are."""
    best, cpu = folder / "best_model.pt", torch.device("cpu")
    network, restored = load_autoencoder(best, cpu)
    settings = VaeTrainSettings.model_validate(checkpoint.load_metadata(best, kind="vae")["settings"])
    data = load_images(settings.data, settings.run, SilentConsole())
    true = stack_samples(data.test, range(len(data.test)))
    start = build(settings.autoencoder, SIZE)
    start_linear(start, data.plain, nats=0.0, chroma_weight=settings.autoencoder.chroma_weight)
    plain = train_plainly(settings, data, steps)
    baselines, _ = component_baselines(restored.state[KEY], TARGET, SIZE, cpu)
    baselines.append(thumbnail_baseline(TARGET, network.latent_shape(SIZE)))
    with torch.no_grad():
        made = {"trained": network(true), "start": start(true), "diffusers": plain(true)}
        return made | {one.name: one.predict({TARGET: true})[IMAGE] for one in baselines}, true


def make_parser() -> argparse.ArgumentParser:
    """The options of this script; further ones go to the training."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data-dir", type=Path, required=True)
    parser.add_argument("--folder", type=Path, default=None)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--steps", type=int, default=STEPS)
    parser.add_argument("--vgg-weights", type=Path, default=None)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    parsed, options = make_parser().parse_known_args(argv)
    ensure_torchvision()
    folder = parsed.folder or Path(mkdtemp())
    if not (folder / "judged.json").is_file():
        places = ("--data-dir", parsed.data_dir, "--output-dir", folder, "--seed", parsed.seed)
        weights = () if parsed.vgg_weights is None else ("--vgg-weights", parsed.vgg_weights)
        call("vae", "train", *places, *OPTIONS.split(), "--max-train-steps", parsed.steps, *weights, *options)
    made, true = reconstruct_all(folder, parsed.steps)
    lpips = None if parsed.vgg_weights is None else build_lpips(parsed.vgg_weights)
    figures = {name: measure(images, true, lpips) for name, images in made.items()}
    print("| seed | figure |", " | ".join(figures), "|")
    for figure in figures["trained"]:
        cells = (f"{own[figure]:.{DIGITS.get(figure, 3)}f}" for own in figures.values())
        print(f"| {parsed.seed} | {figure} |", " | ".join(cells), "|")
    (folder / "map_autoencoder.json").write_text(json.dumps(figures, indent=1))
    own, theirs = figures["trained"], figures["diffusers"]
    best = all(own["psnr_db"] >= other["psnr_db"] for other in figures.values())
    return 0 if best and own.get("lpips", 0) <= theirs.get("lpips", 0) else BELOW_AIM


if __name__ == "__main__":
    sys.exit(main())
