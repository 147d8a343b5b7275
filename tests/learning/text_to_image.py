"""Trains a text-to-image model from scratch on drawn captioned scenes, and sees whether images show what was asked for.

Usage: ``python -m tests.learning.text_to_image [--folder F] [--images N] [--seed N] [--guidance G]
[--vgg-weights PATH] [OPTIONS OF FINETUNE]``. An image is drawn of a caption of each held-out image. In the features of
VGG16 its distance to the true training images of its own kind of scene is compared with that to those of the three
other kinds. Prints the share of comparisons in which its own are nearer, with its 95 % interval over images, beside
that of a Gaussian whose mean is linear in the words of captions, and of true held-out images; writes
text_to_image.json and drawn.png, a row of each kind; exits with 1 where the share is below 90 %. The seed divides the
images, and is that of the training.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from tempfile import mkdtemp

import torch
from torch import Tensor

from rsforge.cli.main import run
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
from tests.learning.figures import shares_nearer_own_kind, whiten

LEAST, HELD_OUT = 0.9, 0.05
PLACES = ("farmland", "a winding river", "a village", "a coast")
SIZE, STEPS, RESCALE, AT_ONCE, SHOWN = 32, 25, 1.0, 32, 8


def train(folder: Path, images: int, seed: int, options: Sequence[str]) -> None:
    """Draw and extract the captioned scenes where they are not there, and train the preset finetune-tiny on them."""
    given, data, model = folder / "given", folder / "data", folder / "model"
    lines = [
        f"data synth --kind captions --count {images} --size {SIZE} --seed 4 --output-dir {given} --quiet",
        f"data parquet-to-jsonl --parquet {given} --output-dir {data} --resolution 0 --captions all --quiet",
        f"diffusion finetune --config finetune-tiny --data-dir {data}/rsicd_images --output-dir {model} --seed {seed} "
        f"--vae-perceptual no --report-to none --overwrite --val-fraction {HELD_OUT} --test-fraction 0",
    ]
    for line in lines[2 if data.is_dir() else 0 :]:
        code = run([*line.split(), *(options if "finetune" in line else ())])
        if code:
            raise SystemExit(code)


def find_kind(captions: Sequence[str]) -> int:
    """The place that most of the captions name; -1 where none does."""
    counts = [sum(place in caption for caption in captions) for place in PLACES]
    return counts.index(max(counts)) if max(counts) else -1


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
def draw_without_network(
    checkpoint: Path, images: Tensor, captions: Sequence[Sequence[str]], prompts: Sequence[str], guidance: float
) -> Tensor:
    """What the Gaussian of the words of captions draws of each prompt, with the same autoencoder and guidance."""
    model = load_model(checkpoint)
    pipeline, encode = model.pipeline(), model.tokenizer.encode
    rows = torch.cat([model.autoencoder.encode(some)[0].flatten(1) for some in images.split(AT_ONCE)])
    latents = OtherLatents(rows * model.networks.scaling_factor, gather_captions([encode(own) for own in captions]))
    asked = Asked(encode(prompts), encode([""]), guidance)
    return caption_gaussian_baseline(latents, pipeline, asked, seed=1).predict({INDEX: range(len(prompts))})[IMAGE]


@torch.no_grad()
def read_features(images: Tensor, vgg: torch.nn.Module) -> Tensor:
    """The means over each image of its features, ``(N, 256)``."""
    return torch.cat([vgg(some).mean((2, 3)) for some in images.split(64)])


def describe(means: Mapping[str, Sequence[Tensor]], number: int) -> str:
    return ", ".join(f"{name} {float(own[number]):.3f}" for name, own in means.items())


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
    parser.add_argument("--images", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=42)
    parser.add_argument("--guidance", type=float, default=12.0)
    parser.add_argument("--vgg-weights", type=Path, default=find_vgg16())
    return parser


def main() -> int:
    parsed, options = make_parser().parse_known_args()
    if parsed.vgg_weights is None:
        print("needs the weights of VGG16: name them with --vgg-weights, or `rsforge weights fetch vgg16`")
        return 6
    ensure_torchvision()
    folder, began = parsed.folder or Path(mkdtemp()), time.monotonic()
    train(folder, parsed.images, parsed.seed, options)
    trained = time.monotonic() - began
    settings = CaptionedImageSettings(
        data_dir=str(folder / "data/rsicd_images"), image_size=SIZE, val_fraction=HELD_OUT, test_fraction=0
    )
    own = RunSettings(output_dir=folder / "model", seed=parsed.seed)
    data = load_captioned(settings, own, SilentConsole())
    vgg = load_vgg16(parsed.vgg_weights)
    texts = [[[data.texts[number] for number in own] for own in side] for side in data.numbers]
    kinds = [torch.tensor([find_kind(captions) for captions in side]) for side in texts]
    places = [stack_samples(side, range(len(side))) for side in (data.images.plain, data.images.held_out)]
    prompts = [
        next((t for t in own if PLACES[kind] in t), own[0]) for own, kind in zip(texts[1], kinds[1], strict=True)
    ]
    best = folder / "model" / "best_model.pt"
    drawn, through = draw(best, prompts, parsed.guidance), reconstruct(best, places[1])
    told = draw_without_network(best, places[0], texts[0], prompts, parsed.guidance)
    whitened = whiten(read_features(places[0], vgg), kinds[0])
    shares = {
        name: shares_nearer_own_kind(whitened(read_features(images, vgg)), kinds[1], whitened.centres)
        for name, images in (
            ("drawn", drawn),
            ("caption Gaussian", told),
            ("reconstructed", through),
            ("true", places[1]),
        )
    }
    figures = {name: float(share.mean()) for name, share in shares.items()} | {"seconds": round(trained)}
    means = {name: [share[kinds[1] == k].mean() for k in range(len(PLACES))] for name, share in shares.items()}
    for number, place in enumerate(PLACES):
        print(f"{place}: {describe(means, number)} of {int((kinds[1] == number).sum())}")
    low, high = mean_intervals(shares["drawn"][:, None].numpy(), range(len(prompts)), resamples=1000, confidence=0.95,
                               seed=0)[0]  # fmt: skip
    cells = [f"{100 * figures['drawn']:.1f} [{100 * low:.1f}, {100 * high:.1f}]", *percent(means["drawn"])]
    cells += percent(figures[name] for name in ("caption Gaussian", "reconstructed", "true"))
    print(f"| {parsed.seed} | {' | '.join(cells)} |\ntrained {trained:.0f} s")
    (folder / "text_to_image.json").write_text(json.dumps(figures, indent=1))
    show(folder / "drawn.png", drawn, kinds[1])
    return 0 if figures["drawn"] >= LEAST else 1


if __name__ == "__main__":
    sys.exit(main())
