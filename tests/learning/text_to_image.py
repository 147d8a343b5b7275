"""Trains a text-to-image model from scratch on drawn captioned scenes, and sees whether images show what was asked for.

Usage: ``python -m tests.learning.text_to_image [--folder F] [--scenes F] [--images N] [--seed N] [--guidance G]
[--vgg-weights PATH] [OPTIONS OF FINETUNE]``. An image is drawn of a caption of each held-out image, with rescaled
guidance. In the features of VGG16 its distance to the true training images of its own kind of scene is compared with
that to those of the three other kinds. Prints the share of comparisons in which its own are nearer, with its 95 %
interval over images, beside that of a Gaussian whose mean is linear in the words of captions (with the best of several
guidances), and of true held-out images; writes text_to_image.json and drawn.png, a row of each kind; exits with 10
where the share is below 90 %. The seed divides the images, and is that of the training.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import mkdtemp

import torch
from torch import Tensor

from rsforge.compat import ensure_torchvision
from rsforge.metrics.bootstrap import mean_intervals
from rsforge.metrics.caption_words import gather_captions
from rsforge.models.vgg import find_vgg16, load_vgg16
from rsforge.recipes.console import SilentConsole
from rsforge.recipes.datasets.batches import stack_samples
from rsforge.recipes.evaluation.image_figures import IMAGE
from rsforge.recipes.inference.labelled_grid import save_labelled_grid
from rsforge.recipes.text_evaluation.baselines import INDEX
from rsforge.recipes.text_evaluation.latent_gaussians import Asked, OtherLatents, caption_gaussian_baseline
from rsforge.recipes.text_to_image.captioned_images import load_captioned
from rsforge.recipes.text_to_image.load import load_model
from rsforge.settings.base import RunSettings
from rsforge.settings.finetune import CaptionedImageSettings
from tests.learning.commands import BELOW_AIM, call
from tests.learning.figures import shares_nearer_own_kind, whiten

PASSED_ON = "diffusion finetune --data-dir images"
"""What further options go to."""
LEAST, HELD_OUT = 0.9, 0.05
OPTIONS = (
    "--config finetune-tiny --vae-perceptual no --report-to none --overwrite "
    f"--val-fraction {HELD_OUT} --test-fraction 0"
)
PLACES = ("farmland", "a winding river", "a village", "a coast")
SIZE, STEPS, RESCALE, AT_ONCE, SHOWN = 32, 25, 1.0, 32, 8
GAUSSIAN, GUIDANCES = "caption Gaussian", (1.0, 3.0, 7.5, 12.0, 22.0)


def draw_scenes(folder: Path, images: int) -> Path:
    """The folder of captioned scenes, which are drawn and extracted unless they are there."""
    given, data = folder / f"given-{images}", folder / f"data-{images}"
    if not (data / "metadata.jsonl").is_file():
        drawn = ("--kind", "captions", "--count", images, "--size", SIZE, "--seed", 4, "--output-dir", given)
        call("data", "synth", *drawn, "--quiet", "--overwrite")
        extracted = ("--parquet", given, "--output-dir", data, "--resolution", 0, "--captions", "all")
        call("data", "parquet-to-jsonl", *extracted, "--quiet", "--overwrite")
    return data / "rsicd_images"


def train(data: Path, model: Path, seed: int, options: Sequence[str]) -> None:
    """Train the preset finetune-tiny unless that is done."""
    if not (model / "judged.json").is_file():
        places = ("--data-dir", data, "--output-dir", model, "--seed", seed)
        call("diffusion", "finetune", *places, *OPTIONS.split(), *options)


@dataclass(frozen=True)
class Sides:
    """Training and held-out scenes: images ``(N, 3, S, S)``, captions and kinds ``(N,)``; the prompts of the latter."""

    images: tuple[Tensor, Tensor]
    texts: list[list[list[str]]]
    kinds: list[Tensor]
    prompts: list[str]


def read_sides(data: Path, run: RunSettings) -> Sides:
    """The scenes as the training divides them; the prompt of one is a caption that names its place."""
    settings = CaptionedImageSettings(data_dir=str(data), image_size=SIZE, val_fraction=HELD_OUT, test_fraction=0)
    read = load_captioned(settings, run, SilentConsole())
    texts = [[[read.texts[number] for number in own] for own in side] for side in read.numbers]
    kinds = [[find_kind(captions) for captions in side] for side in texts]
    prompts = [next(t for t in own if PLACES[k] in t) for own, k in zip(texts[1], kinds[1], strict=True)]
    trained, held_out = (stack_samples(side, range(len(side))) for side in (read.images.plain, read.images.held_out))
    return Sides((trained, held_out), texts, [torch.tensor(side) for side in kinds], prompts)


def find_kind(captions: Sequence[str]) -> int:
    """The place that most of the captions name; the script ends where none does."""
    counts = [sum(place in caption for caption in captions) for place in PLACES]
    if not max(counts):
        sys.exit(f"no caption of an image names its place: {captions}")
    return counts.index(max(counts))


@torch.no_grad()
def draw(checkpoint: Path, prompts: Sequence[str], guidance: float) -> Tensor:
    """An image ``(N, 3, S, S)`` of each prompt."""
    model = load_model(checkpoint)
    pipeline = model.pipeline()
    walk, parts = pipeline.walk("ddim", STEPS), []
    for first in range(0, len(prompts), AT_ONCE):
        some = prompts[first : first + AT_ONCE]
        indices = range(first, first + len(some))
        parts.append(pipeline.draw(indices, walk, seed=1, guide=model.guide(some, guidance, RESCALE)))
    return torch.cat(parts)


@torch.no_grad()
def reconstruct(checkpoint: Path, images: Tensor) -> Tensor:
    """True images through the autoencoder alone, which no drawn image can surpass."""
    autoencoder = load_model(checkpoint).autoencoder
    return torch.cat([autoencoder.decode(autoencoder.encode(some)[0]) for some in images.split(AT_ONCE)])


@torch.no_grad()
def draw_without_network(checkpoint: Path, sides: Sides, guidance: float) -> Tensor:
    """What the Gaussian of the words of captions draws of each prompt with the same autoencoder."""
    model = load_model(checkpoint)
    pipeline, encode = model.pipeline(), model.tokenizer.encode
    rows = torch.cat([model.autoencoder.encode(some)[0].flatten(1) for some in sides.images[0].split(AT_ONCE)])
    words = gather_captions([encode(own) for own in sides.texts[0]])
    asked = Asked(encode(sides.prompts), encode([""]), guidance)
    predictor = caption_gaussian_baseline(
        OtherLatents(rows * model.networks.scaling_factor, words), pipeline, asked, seed=1
    )
    return predictor.predict({INDEX: range(len(sides.prompts))})[IMAGE]


@torch.no_grad()
def read_features(images: Tensor, vgg: torch.nn.Module) -> Tensor:
    """The means over each image of its features, ``(N, 256)``."""
    return torch.cat([vgg(some).mean((2, 3)) for some in images.split(64)])


def percent(shares: Iterable[Tensor | float]) -> list[str]:
    return [f"{100 * float(share):.1f}" for share in shares]


def show(path: Path, images: Tensor, kinds: Tensor) -> None:
    """The first images of each kind of scene, in rows."""
    some = [images[kinds == number][:SHOWN] for number in range(len(PLACES))]
    few = min(map(len, some))
    save_labelled_grid(path, torch.cat([own[:few] for own in some]), nrow=few, rows=PLACES)


def make_parser() -> argparse.ArgumentParser:
    """The options of this script; further ones go to the training."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=None)
    parser.add_argument("--scenes", type=Path, help="where scenes are drawn, or lie; without it the folder")
    parser.add_argument("--images", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=42)
    parser.add_argument("--guidance", type=float, default=20.0)
    parser.add_argument("--vgg-weights", type=Path, default=find_vgg16())
    return parser


def make_images(checkpoint: Path, sides: Sides, guidance: float) -> dict[str, Tensor]:
    """What is judged, by name: the Gaussian with several guidances, of which the best counts."""
    gaussians = {f"{GAUSSIAN} {scale:g}": draw_without_network(checkpoint, sides, scale) for scale in GUIDANCES}
    made = {"drawn": draw(checkpoint, sides.prompts, guidance)} | gaussians
    return made | {"reconstructed": reconstruct(checkpoint, sides.images[1]), "true": sides.images[1]}


def spell_row(seed: int, shares: Mapping[str, Tensor], kinds: Tensor) -> str:
    """The row of README: shares in percent, what was drawn with its interval and by kinds of scene."""
    drawn = shares["drawn"]
    low, high = mean_intervals(drawn[:, None].numpy(), range(len(drawn)), resamples=1000, confidence=0.95, seed=0)[0]
    cells = [f"{100 * float(drawn.mean()):.1f} [{100 * low:.1f}, {100 * high:.1f}]"]
    cells += percent(drawn[kinds == kind].mean() for kind in range(len(PLACES)))
    best = max(share.mean() for name, share in shares.items() if name.startswith(GAUSSIAN))
    cells += percent((best, shares["reconstructed"].mean(), shares["true"].mean()))
    return f"| {seed} | {' | '.join(cells)} |"


def main() -> int:
    parsed, options = make_parser().parse_known_args()
    if parsed.vgg_weights is None:
        sys.exit("name the weights of a VGG16 by --vgg-weights, or fetch them by `rsforge weights fetch vgg16`")
    ensure_torchvision()
    folder = parsed.folder or Path(mkdtemp())
    data, began = draw_scenes(parsed.scenes or folder, parsed.images), time.monotonic()
    train(data, folder / "model", parsed.seed, options)
    trained, vgg = time.monotonic() - began, load_vgg16(parsed.vgg_weights)
    sides = read_sides(data, RunSettings(output_dir=folder / "model", seed=parsed.seed))
    made, kinds = make_images(folder / "model" / "best_model.pt", sides, parsed.guidance), sides.kinds[1]
    whitened = whiten(read_features(sides.images[0], vgg), sides.kinds[0])
    shares = {
        name: shares_nearer_own_kind(whitened(read_features(images, vgg)), kinds, whitened.centres)
        for name, images in made.items()
    }
    for name, share in shares.items():
        print(f"{name}:", ", ".join(f"{place} {float(share[kinds == k].mean()):.3f}" for k, place in enumerate(PLACES)))
    print(spell_row(parsed.seed, shares, kinds), f"trained {trained:.0f} s", sep="\n")
    figures = {name: float(share.mean()) for name, share in shares.items()} | {"seconds": round(trained)}
    (folder / "text_to_image.json").write_text(json.dumps(figures, indent=1))
    show(folder / "drawn.png", made["drawn"], kinds)
    return 0 if figures["drawn"] >= LEAST else BELOW_AIM


if __name__ == "__main__":
    sys.exit(main())
