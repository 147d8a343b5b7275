"""Trains a flow and two eps models alike, and compares 4 steps of the one with 50 of the others on held-out pairs.

Usage: ``python -m tests.learning.few_steps [--vgg-weights PATH] [OPTIONS OF tests.learning.sar_to_optical]``. All
models have the autoencoder of the first one, the same text encoder, batches and steps. Prints the figures, and exits
with 10 where a draw of the flow model is more than 5 % farther from the truth than one of the better eps model.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import torch
from torch import Tensor

from rsforge.compat import ensure_torchvision
from rsforge.models.vgg import find_vgg16
from rsforge.recipes.console import SilentConsole
from rsforge.recipes.datasets.prompts import write_prompts
from rsforge.recipes.diffusion.load_sar import ModelFiles, load_sar_model
from rsforge.recipes.evaluation.learned_metrics import load_lpips
from tests.learning import sar_to_optical
from tests.learning.commands import BELOW_AIM
from tests.learning.sar_to_optical import Held, draw, open_held_out, train

PASSED_ON = sar_to_optical.PASSED_ON
ALLOWED = 1.05
KINDS = {"flow": 4, "eps": 50, "eps-cosine": 50}
"""How many steps an image of each kind of model is drawn in."""
# With the 200 timesteps of the preset a third of the signal is left at the end of the schedule of eps, while drawing
# begins with noise alone.
EPS = ["--prediction", "eps", "--timesteps", "1000", "--timestep-shift", "1"]
OPTIONS = {"flow": [], "eps": EPS, "eps-cosine": [*EPS, "--schedule", "cosine"]}
COMPARED = ("l1", "lpips")


def draw_once(checkpoint: Path, data: Path, num_steps: int) -> tuple[Held, Tensor]:
    """The held-out pairs, and one image ``(N, 3, S, S)`` of each."""
    model = load_sar_model(ModelFiles(checkpoint), torch.device("cpu"), averaged=True)
    held = open_held_out(model, data)
    prompts = write_prompts(model.template, held.rows, SilentConsole())
    return held, draw(model, held.sar, prompts, 1, num_steps=num_steps)[:, 0]


def measure(images: Tensor, truths: Tensor, vgg: Path | None) -> dict[str, float]:
    """L1 and, where weights of a VGG16 are, LPIPS, both 0 for equal images; and which share of the squared error lies
    in the mean colours of the images."""
    error = images - truths
    colour = error.mean((-2, -1)).square().mean() / error.square().mean()
    figures = {"l1": float(error.abs().mean()), "colour_share": float(colour)}
    if lpips := load_lpips(vgg, torch.device("cpu"), SilentConsole()).lpips:
        with torch.no_grad():
            figures["lpips"] = float(lpips(images, truths).mean())
    return figures


def make_parser() -> argparse.ArgumentParser:
    """The options of this script; further ones go to the trainings."""
    parser = sar_to_optical.make_parser(__doc__)
    parser.add_argument("--vgg-weights", type=Path, default=find_vgg16())
    return parser


def main() -> int:
    parsed, more = make_parser().parse_known_args()
    ensure_torchvision()
    figures = {}
    for kind, num_steps in KINDS.items():
        first = parsed.folder / "model" / "autoencoder" / "best_model.pt"
        same = [] if kind == "flow" else ["--vae-checkpoint", str(first)]
        name = "model" if kind == "flow" else kind
        options = [*more, *OPTIONS[kind], *same]
        checkpoint = train(parsed.folder, parsed.pairs, parsed.epochs, options, name=name)
        held, images = draw_once(checkpoint, parsed.folder / "Dataset", num_steps)
        figures[kind] = measure(images, held.optical, parsed.vgg_weights)
        print(f"{kind} in {num_steps} steps", *(f"{metric} {value:.4f}" for metric, value in figures[kind].items()))
    flow, *eps = figures.values()
    ratios = {name: flow[name] / min(one[name] for one in eps) for name in COMPARED if name in flow}
    print(*(f"{metric}: flow is {ratio:.3f} of the better eps" for metric, ratio in ratios.items()), sep="\n")
    (parsed.folder / "few_steps.json").write_text(json.dumps({**figures, "ratios": ratios}, indent=1))
    return BELOW_AIM if max(ratios.values()) > ALLOWED else 0


if __name__ == "__main__":
    sys.exit(main())
