"""Trains SAR-to-optical models on real pairs and measures them beside what costs nothing: README's table of real pairs.

Usage: ``python -m tests.learning.real_pairs SAR_OPTICAL_FOLDER [--folder PATH] [--cases NAME ...] [--seeds N]``. The
first is a folder with ``sen12_gray_terrain`` and ``sih1733_scenes``. What is trained is kept in ``--folder``, and a
measurement that lies there is not made again. Prints the table and writes it to table.md.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rsforge.compat import ensure_torchvision
from tests.learning.commands import call

SIZE, TILE, DRAWS = 32, 64, 4
WRITTEN = ("--overwrite", "--report-to", "none", "--quiet")


@dataclass(frozen=True)
class Case:
    """Pairs, in a folder for training and one to be judged, and how long is trained on them.

    ``measured`` are the options that name the pairs to be judged.
    """

    data: Path
    judged: Path
    measured: tuple[str, ...]
    options: tuple[str, ...]
    epochs: tuple[int, int, int]  # of the diffusion model, its autoencoder, CycleGAN


def take_terrains(real: Path, folder: Path, seed: int) -> Case:
    """Two terrains of SEN1-2 to train on, and the third to be judged; a fifth of the former chooses the epoch."""
    source, names = real / "sen12_gray_terrain", ("agriculture", "resident", "river")
    for name in names:
        side = "judged" if name == names[seed % len(names)] else "data"
        shutil.copytree(source / name, folder / side / name, dirs_exist_ok=True)
    options = ("--allow-gray-optical", "--allow-leak", "--seed", str(seed))
    measured = ("--side", "all", "--allow-gray-optical")
    return Case(folder / "data", folder / "judged", measured, options, (60, 20, 40))


def take_blocks(real: Path, folder: Path, seed: int) -> Case:
    """Blocks of both colour scenes: to train on, to choose the epoch, to be judged."""
    tile(real, folder / "data", (1, 2))
    split(folder / "data", seed, "0.15")
    return Case(folder / "data", folder / "data", ("--side", "test"), ("--seed", str(seed)), (3, 1, 8))


def take_scenes(real: Path, folder: Path, seed: int) -> Case:
    """One colour scene to train on, and 200 tiles of the other to be judged; an odd seed takes them the other way."""
    first = 1 + seed % 2
    tile(real, folder / "data", (first,))
    tile(real, folder / "judged", (3 - first,))
    split(folder / "data", seed, "0")
    measured = ("--side", "all", "--max-per-terrain", "200")
    return Case(folder / "data", folder / "judged", measured, ("--seed", str(seed)), (4, 1, 8))


CASES = {"terrains": take_terrains, "blocks": take_blocks, "scenes": take_scenes}


def tile(real: Path, data: Path, scenes: tuple[int, ...]) -> None:
    if (data / "dataset.json").is_file():
        return
    raw = data.with_name(f"{data.name}_scenes")
    for side, name in (("sar", "s1"), ("optical", "s2")):
        (raw / side).mkdir(parents=True, exist_ok=True)
        for number in scenes:
            source = real / "sih1733_scenes" / f"scene{number}" / f"{name}.jpg"
            shutil.copy(source, raw / side / f"scene{number}.jpg")
    call("data", "tile", "--sar", raw / "sar", "--optical", raw / "optical", "--output-dir", data, "--size", TILE,
         "--quiet")  # fmt: skip


def split(data: Path, seed: int, test: str) -> None:
    call("data", "split", "--data-dir", data, "--by", "block", "--block-size", 8 * TILE, "--guard", TILE, "--val",
         "0.15", "--test", test, "--seed", seed, "--overwrite", "--quiet")  # fmt: skip


def train_text_encoder(folder: Path) -> Path:
    """A text encoder of drawn pairs: real ones have one prompt, in which nothing is known."""
    if not (folder / "judged.json").is_file():
        call("data", "synth", "--kind", "pairs-csv", "--count", 240, "--size", SIZE, "--output-dir", folder / "drawn",
             "--quiet", "--overwrite")  # fmt: skip
        call("clip", "train", "--dataset-path", folder / "drawn", "--config", "clip-tiny", "--image-size", SIZE,
             "--epochs", 5, "--save-dir", folder, *WRITTEN)  # fmt: skip
    return folder / "best_clip.pt"


def measure(case: Case, folder: Path, clip: Path) -> dict[str, Mapping[str, Any]]:
    """The evaluations of the diffusion model and of CycleGAN, trained on the same pairs."""
    return {
        "diffusion": measure_diffusion(case, folder / "diffusion", clip),
        "cyclegan": measure_cyclegan(case, folder / "cyclegan"),
    }


def measure_diffusion(case: Case, folder: Path, clip: Path) -> Mapping[str, Any]:
    """Train a diffusion model, and its autoencoder first, and evaluate it."""
    found, (epochs, vae_epochs, _) = folder / "evaluation" / "evaluation.json", case.epochs
    if not found.exists():
        call("diffusion", "train-sar", "--dataset-path", case.data, "--config", "diffusion-sar-tiny",
             "--clip-checkpoint", clip, "--epochs", epochs, "--vae-epochs", vae_epochs, "--vae-perceptual", "no",
             "--batch-size", 8,
             "--image-size", SIZE, "--validation-draws", 4, "--sample-every", epochs, "--save-every", epochs,
             "--save-dir", folder, *case.options, *WRITTEN)  # fmt: skip
        call("diffusion", "evaluate", "--model-checkpoint", folder / "best_model.pt", "--data-dir", case.judged,
             "--strength", 1, "--guidance-scale", 1, "--samples", DRAWS, "--batch-size", 64, *case.measured,
             "--output-dir", found.parent, "--overwrite", "--quiet")  # fmt: skip
    return json.loads(found.read_text())


def measure_cyclegan(case: Case, folder: Path) -> Mapping[str, Any]:
    """Train CycleGAN and evaluate it."""
    found, (_, _, epochs) = folder / "evaluation" / "evaluation.json", case.epochs
    if not found.exists():
        call("cyclegan", "train", "--data-dir", case.data, "--config", "cyclegan-tiny", "--image-size", SIZE,
             "--epochs", epochs, "--output-dir", folder, *case.options, *WRITTEN)  # fmt: skip
        call("cyclegan", "evaluate", "--checkpoint", folder / "best_model.pt", "--data-dir", case.judged,
             *case.measured, "--output-dir", found.parent, "--overwrite", "--quiet")  # fmt: skip
    return json.loads(found.read_text())


def describe_row(name: str, seed: int, found: Mapping[str, Mapping[str, Any]]) -> str:
    """A line of the table: mean absolute errors on [-1, 1], those of models with their gain over the best baseline."""
    figures, gains = found["diffusion"]["figures"], found["diffusion"]["gain"]

    def with_gain(error: Mapping[str, Any], gain: Mapping[str, Any]) -> str:
        return f"{error['mean']:.3f} ({gain['mean']:+.3f} [{gain['low']:+.3f}, {gain['high']:+.3f}])"

    cells = [with_gain(figures["model"][figure], gains[figure]) for figure in ("l1_of_mean", "l1")]
    gan = found["cyclegan"]
    cells.append(with_gain(gan["figures"]["model"]["l1"], gan["gain"]["l1"]))
    cells += [f"{figures[baseline]['l1']['mean']:.3f}" for baseline in ("linear_sar", "mean_colour")]
    return " | ".join(["", f"{name}, {found['diffusion']['images']} judged", str(seed), *cells, ""]).strip()


def make_parser() -> argparse.ArgumentParser:
    """The options of this script."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("real", type=Path)
    parser.add_argument("--folder", type=Path, default=Path(".nox/real_pairs"))
    parser.add_argument("--cases", nargs="+", choices=list(CASES), default=list(CASES))
    parser.add_argument("--seeds", type=int, default=3)
    return parser


def main() -> int:
    parsed = make_parser().parse_args()
    ensure_torchvision()
    clip, rows = train_text_encoder(parsed.folder / "clip"), []
    for name in parsed.cases:
        for seed in range(parsed.seeds):
            folder = parsed.folder / f"{name}{seed}"
            rows.append(describe_row(name, seed, measure(CASES[name](parsed.real, folder, seed), folder, clip)))
            print(rows[-1], flush=True)
    (parsed.folder / "table.md").write_text("\n".join([*rows, ""]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
