"""Trains both stages of spectral super-resolution on blocks of a real cube, and measures them on other blocks.

Usage: ``python -m tests.learning.real_spectra --cubes FOLDER [--cube NAME] [--model NAME] [--seeds N ...] [--stage1
"OPTIONS"] [--stage2 "OPTIONS"] [--name NAME] [--folder PATH]``. The folder holds ``enmap_potsdam``, ``samson`` or
``avirisng_ang20160910_30x25``. Each seed divides the blocks anew into three sides: networks learn from the first, are
chosen on the second and judged on the third. Prints the gains over ridge and bicubic resampling with their intervals,
for each seed, also over bicubic resampling that is corrected as stage 2 is, and exits with 10 where one is not above 0.
"""

from __future__ import annotations

import argparse
import json
import shlex
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tests.learning.commands import BELOW_AIM, call

PLAIN = "--report-to none --device cpu --quiet --overwrite"
STAGE1 = "--config hsi-tiny --epochs 100 --validate-every 5"
STAGE2 = (
    "--config hsi-spatial-tiny --source truth --num-features 16 --learning-rate 3e-4 --epochs 40 --validate-every 1"
)
MODELS = {
    "spectral_sr": "",
    "spectral_transformer": "--transformer-width 32 --heads 4 --blocks 2 --learning-rate 3e-3",
    "spectral_unmixing": "",
}
"""Options that make small networks, for some thousands of pixels."""
SCALE = 4
FIGURES = ("sam_deg", "rmse")
BASELINES = {
    "stage1": ["ridge"],
    "stage2": ["bicubic", "corrected_bicubic"],
    "end_to_end": ["ridge_bicubic", "ridge_corrected_bicubic"],
}


@dataclass(frozen=True)
class Cube:
    """Where a cube lies in the folder of cubes, how it is cut, and the wavelengths of its ends where it has none.

    Stage 1 is trained on crops, and stage 2 on patches, whose sides are a multiple of its scale.
    """

    place: str
    patch_size: int
    crop_size: int
    options: str = ""
    ends_nm: tuple[float, float] | None = None
    bands: int = 0


CUBES = {
    "enmap": Cube("enmap_potsdam", 16, 16),
    "samson": Cube("samson/Samson.mat", 16, 16, "--bands coastal,blue,green,red,nir", (401, 889), 156),
    "aviris-ng": Cube("avirisng_ang20160910_30x25/ang20160910t185702_2rdn_img", 8, 8),
}


def call_line(line: str, *places: Path | str) -> None:
    """Run a command; the script ends where it fails. ``{}`` in the line are places."""
    call(*(word.format(*places) if "{" in word else word for word in shlex.split(line)))


def cut(cubes: Path, cube: Cube, out: Path, seed: int) -> Path:
    """The patches of a cube, each pixel of which Landsat sees alone, with their division."""
    if (out / "split.json").exists():
        return out
    options = cube.options
    if cube.ends_nm is not None:
        table = out.with_suffix(".txt")
        out.parent.mkdir(parents=True, exist_ok=True)
        np.savetxt(table, np.linspace(*cube.ends_nm, cube.bands))
        options += f" --wavelengths {shlex.quote(str(table))}"
    size = cube.patch_size
    line = f"data hsi-patches --input {{0}} --output-dir {{1}} --patch-size {size} --factor 1 --overwrite --quiet "
    call_line(line + options, cubes / cube.place, out)
    sides = f"--block-size {size} --guard 0 --val 0.2 --test 0.25 --seed {seed} --quiet"
    call_line(f"data split --data-dir {{0}} --by block {sides}", out)
    return out


def measure(patches: Path, out: Path, stage1: str, stage2: str) -> dict[str, dict[str, list[float | None]]]:
    """Train both stages; by stage and baseline, and by figure: the gain, its low and high, the model's, the other's."""
    first, second, result = out / "stage1", out / "stage2", out / "evaluation"
    call_line(f"hsi train-spectral --data-dir {{0}} --output-dir {{1}} {PLAIN} {stage1}", patches, first)
    given = "--data-dir {0} --stage1-checkpoint {1}"
    best = first / "best_model.pth"
    call_line(f"hsi train-spatial {given} --output-dir {{2}} {PLAIN} {stage2}", patches, best, second)
    line = f"hsi evaluate {given} --stage2-checkpoint {{2}} --output-dir {{3}} --side test --device cpu --quiet "
    call_line(line + "--overwrite", patches, best, second / "best_model.pth", result)
    stages = json.loads((result / "metrics.json").read_text())["stages"]
    found = {}
    for stage, known in BASELINES.items():
        gains, figures = (stages[stage][name] for name in ("gains", "figures"))
        for over in (over for over in known if over in gains):
            found[f"{stage} over {over}"] = {
                name: [*gains[over][name].values(), *(figures[who][name]["mean"] for who in ("model", over))]
                for name in FIGURES
            }
    return found


def spell(row: Sequence[float | None]) -> str:
    value, low, high, model, other = row
    interval = "no interval" if low is None else f"[{low:.3g}, {high:.3g}]"
    return f"{model:.4g}, {other:.4g}, gain {value:.3g} {interval}"


def make_parser() -> argparse.ArgumentParser:
    """The options of this script."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cubes", type=Path, required=True)
    parser.add_argument("--cube", choices=CUBES, default="enmap")
    parser.add_argument("--model", choices=MODELS, default="spectral_sr")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--stage1", default="", help="further options of hsi train-spectral")
    parser.add_argument("--stage2", default="", help="further options of hsi train-spatial")
    parser.add_argument("--name", default="plain", help="folder of the results of these options")
    parser.add_argument("--folder", type=Path, default=Path(".nox/real-spectra"))
    return parser


def main() -> int:
    own = make_parser().parse_args()
    cube = CUBES[own.cube]
    missed = 0
    for seed in own.seeds:
        patches = cut(own.cubes, cube, own.folder / own.cube / f"patches-{seed}", seed)
        stage1 = f"{STAGE1} --model {own.model} {MODELS[own.model]} --crop-size {cube.crop_size} {own.stage1}"
        stage2 = f"{STAGE2} --scale {SCALE} --crop-size {cube.patch_size} {own.stage2}"
        out = own.folder / own.cube / own.name / f"{own.model}-{seed}"
        gains = measure(patches, out, f"{stage1} --seed {seed}", f"{stage2} --seed {seed}")
        for stage, figures in gains.items():
            cells = [f"{name} {spell(gain)}" for name, gain in figures.items()]
            print(f"| {own.cube} | {own.model} {own.name} | {seed} | {stage} |", " | ".join(cells), "|", flush=True)
            missed += sum(gain[1] is None or gain[1] <= 0 for gain in figures.values())
    return BELOW_AIM if missed else 0


if __name__ == "__main__":
    sys.exit(main())
