"""Trains a SAR-to-optical diffusion model on drawn pairs, and measures on held-out ones what it depends on.

Usage: ``python -m tests.learning.sar_to_optical [--pairs N] [--epochs N] [--folder PATH] [OPTION VALUE ...]``; further
options go to the training. Trained models are kept in the folder and used again. Prints the figures, writes them to
figures.json, and exits with 10 where one misses its aim.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from rsforge.compat import ensure_torchvision
from rsforge.data.synthetic.world import REGIONS, SEASONS, draw_pair
from rsforge.engine.loader import IndexedDataset
from rsforge.recipes.console import SilentConsole
from rsforge.recipes.datasets.pairs_of_checkpoint import open_subset
from rsforge.recipes.datasets.prompts import write_prompts
from rsforge.recipes.diffusion.load_sar import ModelFiles, SarModel, load_sar_model
from rsforge.recipes.diffusion.sar_pipeline import Request
from rsforge.recipes.evaluation.baseline_predictors import pair_baselines
from rsforge.recipes.evaluation.image_figures import IMAGE
from rsforge.recipes.evaluation.linear_sar import NAME as LINEAR
from rsforge.recipes.evaluation.summary import Bootstrap
from rsforge.settings.pairs import PairDataSettings
from tests.learning.commands import BELOW_AIM, call
from tests.learning.figures import agree, colour_changes, mean_colours, shares_nearer_own

PASSED_ON = "diffusion train-sar --dataset-path data --clip-checkpoint clip.pt"
"""What further options go to."""
SIZE, SEED, DRAWS, LOOKS = 32, 3, 8, 4
AIM = 0.9  # of pairs, and of changes of colour
INTERVALS = Bootstrap(2000, 0.95, 0)


@dataclass(frozen=True)
class Held:
    """Held-out pairs: SAR ``(N, 1, S, S)``, optical ``(N, 3, S, S)`` in [-1, 1], scenes, rows of their tables."""

    samples: IndexedDataset
    sar: Tensor
    optical: Tensor
    scenes: Sequence[str]
    rows: Sequence[Mapping[str, str]]

    def looks(self, name: str, words: Sequence[str]) -> Tensor:
        """The true images ``(N, K, 3, S, S)`` of the same ground if ``name`` (season or region) were each of words."""
        return torch.stack([torch.stack([draw_truth({**row, name: word}) for word in words]) for row in self.rows])


def draw_truth(row: Mapping[str, str]) -> Tensor:
    """The optical image of a row of a table of drawn pairs, in [-1, 1]."""
    number, top, left = int(row["scene"].rpartition("_")[2]), int(row["row"]), int(row["col"])
    pixels, _ = draw_pair(SEED, number, 2 * SIZE, season=row["season"], region=row["region"])
    patch = torch.from_numpy(pixels[top : top + SIZE, left : left + SIZE]).permute(2, 0, 1)
    return patch.float() / 255 * 2 - 1


def train(folder: Path, pairs: int, epochs: int, more: Sequence[str], *, name: str = "model") -> Path:
    """The best checkpoint, of a training in ``folder / name`` unless it is there already."""
    data, clip, model = (folder / part for part in ("Dataset", "clip", name))
    written = ("--test-fraction", "0", "--overwrite", "--report-to", "none", "--quiet")
    steps = {
        data: ("data", "synth", "--kind", "pairs-csv", "--count", pairs, "--size", SIZE, "--seed", SEED,
               "--output-dir", data, "--quiet"),
        clip / "judged.json": ("clip", "train", "--dataset-path", data, "--config", "clip-tiny", "--image-size", SIZE,
                                "--epochs", 15, "--save-dir", clip, *written),
        model / "judged.json": ("diffusion", "train-sar", "--dataset-path", data, "--config", "diffusion-sar-tiny",
                                  "--clip-checkpoint", clip / "best_clip.pt", "--epochs", epochs, "--save-dir", model,
                                  "--vae-perceptual", "no", "--vae-epochs", 3, "--batch-size", 8,
                                  "--validate-every", 5, "--sample-every", epochs, "--save-every", epochs, *written,
                                  *more),
    }  # fmt: skip
    for made, arguments in steps.items():
        if not made.exists():
            call(*arguments)
    return model / "best_model.pt"


def open_held_out(model: SarModel, data: Path) -> Held:
    subset = open_subset(
        PairDataSettings(data_dir=str(data)), "auto", SilentConsole(), on_bad="error", state=model.state
    )
    pairs = [subset.samples[0, index] for index in range(len(subset.samples))]
    sar, optical = (torch.stack([pair[side] for pair in pairs]) for side in (0, 1))
    return Held(subset.samples, sar, optical, subset.scenes, subset.metadata)


def draw(model: SarModel, sar: Tensor, prompts: Sequence[str], draws: int, *, num_steps: int | None = None) -> Tensor:
    """``draws`` images of each SAR image with its prompt ``(N, draws, 3, S, S)``, from noise and without guidance."""
    request = Request(sar.repeat_interleave(draws, 0), [prompt for prompt in prompts for _ in range(draws)])
    walk = model.pipeline.latents.walk(num_steps=num_steps)
    images = model.pipeline.draw_in_batches(request, range(len(request.sar)), walk, seed=1, batch_size=64)
    draws_of_each: Tensor = images.unflatten(0, (len(sar), draws))
    return draws_of_each


def measure_nearness(model: SarModel, held: Held) -> dict[str, dict[str, Any]]:
    """L1 to the truth and how often that is nearer than other scenes' truths, by what was drawn or predicted.

    ``gain`` is by how much the L1 of the linear model is larger, with its interval over scenes.
    """
    draws = draw(model, held.sar, write_prompts(model.template, held.rows, SilentConsole()), DRAWS)
    batch = {"sar": held.sar, "optical": held.optical}
    baselines = pair_baselines(model.state, held.samples, torch.device("cpu"), SilentConsole()).baselines
    images = {one.name: one.predict(batch)[IMAGE] for one in baselines}
    images |= {"a draw": draws[:, 0], f"mean of {DRAWS} draws": draws.mean(1)}
    l1 = {name: (image - held.optical).abs().flatten(1).mean(1) for name, image in images.items()}
    gains = torch.stack([l1[LINEAR] - own for own in l1.values()], 1).double().numpy()
    return {
        name: {
            "l1": float(l1[name].mean()),
            "nearer_own": float(shares_nearer_own(images[name], held.optical, held.scenes).mean()),
            "gain_over_linear": [float(gain), *map(float, interval)],
        }
        for name, gain, interval in zip(images, gains.mean(0), INTERVALS.intervals(gains, held.scenes), strict=True)
    }


def measure_steering(model: SarModel, held: Held, name: str, words: Sequence[str]) -> dict[str, float]:
    """How the mean colour changes with a word of the prompt, beside the true change of the same ground."""
    colours = []
    for word in words:
        prompts = write_prompts(model.template, [{**row, name: word} for row in held.rows], SilentConsole())
        colours.append(mean_colours(draw(model, held.sar, prompts, LOOKS)).mean(1))
    drawn = torch.stack(colours, 1)
    direction, size = agree(colour_changes(drawn), colour_changes(mean_colours(held.looks(name, words))))
    return {"right_direction": direction, "size": size}


def judge(nearness: Mapping[str, Mapping[str, Any]], steering: Mapping[str, Mapping[str, float]]) -> list[str]:
    """What misses its aim."""
    mean = nearness[f"mean of {DRAWS} draws"]
    faults = []
    if mean["nearer_own"] < AIM:
        faults.append(f"images are nearer their own truth than another scene's in {mean['nearer_own']:.0%}")
    if mean["gain_over_linear"][1] <= 0:
        faults.append("the mean of the draws is not significantly nearer the truth than the linear model")
    faults += [
        f"{name} changes the colour in the right direction in {row['right_direction']:.0%}"
        for name, row in steering.items()
        if row["right_direction"] < AIM
    ]
    return faults


def make_parser(description: str | None = __doc__) -> argparse.ArgumentParser:
    """The options of this script."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=960)
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--folder", type=Path, default=Path(".nox/learning"))
    return parser


def main() -> int:
    parsed, more = make_parser().parse_known_args()
    ensure_torchvision()
    model = load_sar_model(
        ModelFiles(train(parsed.folder, parsed.pairs, parsed.epochs, more)), torch.device("cpu"), averaged=True
    )
    held = open_held_out(model, parsed.folder / "Dataset")
    nearness = measure_nearness(model, held)
    steering = {
        name: measure_steering(model, held, name, words) for name, words in (("season", SEASONS), ("region", REGIONS))
    }
    print(f"{len(held.scenes)} held-out pairs of {len(set(held.scenes))} scenes")
    for name, row in nearness.items():
        gain, low, high = row["gain_over_linear"]
        print(f"{name:<18} L1 {row['l1']:.3f}  nearer its own truth {row['nearer_own']:.3f}  "
              f"nearer than linear by {gain:.3f} [{low:.3f}, {high:.3f}]")  # fmt: skip
    for name, row in steering.items():
        print(f"{name:<18} right direction {row['right_direction']:.3f}  size of the change {row['size']:.2f}")
    faults = judge(nearness, steering)
    print(*faults, sep="\n")
    figures = {"nearness": nearness, "steering": steering, "faults": faults}
    (parsed.folder / "figures.json").write_text(json.dumps(figures, indent=1))
    return BELOW_AIM if faults else 0


if __name__ == "__main__":
    sys.exit(main())
