"""Judges a diffusion model by its loss in each quarter of the noise, and its samples by kernel distances.

Usage: ``python -m tests.learning.samples --checkpoint FILE [--beside FILE ...] --vgg-weights FILE [--folder F]
[--count N] [--draws N] [--unseen FOLDER]``. Both are of the images that chose nothing.
The loss stands beside those of the closed forms: a normal distribution, a mixture of scales, and normal distributions
shrunk towards independent numbers, of which the shrinkage that is best in each column is chosen on the judged images
themselves. Kernel distances (the kernel of KID, on means of relu3_3 of VGG16) are those to the held-out images and to
their reconstructions, with standard errors over images: of drawn images, of decoded draws of each closed form and of
independent noise, and of as many training images and their reconstructions. The model is judged by images in 200 steps
of DDIM, or as many as it has timesteps; beside these are those in 50 steps, and those of models ``--beside``, of the
same autoencoder, in 50, flow models in 4. Writes samples.json and samples.png, and exits with 10 where the model is
worse than a normal distribution in a quarter of the noise, or its samples are not nearer than all decoded noise.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from rsforge.compat import ensure_torchvision
from rsforge.losses.elbo import sample_latent
from rsforge.metrics.gaussian_denoiser import MOST_DIRECTIONS, draw_samples
from rsforge.metrics.mean_discrepancy import MeanDiscrepancy, compare_discrepancies, mean_discrepancy
from rsforge.metrics.shrunk_gaussian import ShrunkGaussian, fit_shrunk
from rsforge.models.vgg import find_vgg16, load_vgg16
from rsforge.noise.gaussian_denoiser import GaussianDenoiser
from rsforge.recipes.console import SilentConsole
from rsforge.recipes.datasets.batches import stack_samples
from rsforge.recipes.datasets.image_folder import load_images
from rsforge.recipes.diffusion.encode_latents import GAUSSIAN, SCALE_MIXTURE, fit_closed_forms
from rsforge.recipes.diffusion.load import load_denoiser, stored_pipeline
from rsforge.recipes.diffusion.pipeline import LatentPipeline
from rsforge.recipes.evaluation.evaluation import MODEL, Figure
from rsforge.recipes.evaluation.summary import Bootstrap, summarize
from rsforge.recipes.inference.labelled_grid import save_labelled_grid
from rsforge.recipes.vae.load import load_autoencoder
from rsforge.settings.diffusion import DiffusionTrainSettings
from rsforge.tasks.diffusion import DiffusionTask, name_by_quarter
from tests.learning.commands import BELOW_AIM

CPU, QUIET = torch.device("cpu"), SilentConsole()
ALL_OF = {"val_fraction": 0.0, "test_fraction": 0.0}
SHRINKAGES = (0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 1.0)
MANY_STEPS, STEPS, FLOW_STEPS, SHOWN = 200, 50, 4, 8
NAMES = name_by_quarter("loss")
Table = dict[str, dict[str, Any]]


@dataclass(frozen=True)
class Opened:
    """A model with the images of its training, each before its mirrored view, and those that chose nothing.

    Images are ``(N, 3, S, S)``.
    """

    pipeline: LatentPipeline
    trained: Tensor
    judged: Tensor

    def encode(self, images: Tensor) -> Tensor:
        """Moments ``(N, 2, *latent)``."""
        with torch.no_grad():
            return torch.cat([torch.stack(self.pipeline.autoencoder.encode(some), 1) for some in images.split(32)])

    def decode(self, latents: Tensor) -> Tensor:
        """Images of standardised latents."""
        return torch.cat([self.pipeline.decode(some) for some in latents.split(32)])

    def reconstruct(self, images: Tensor) -> Tensor:
        return self.decode((self.encode(images)[:, 0] - self.pipeline.mean) / self.pipeline.std)


def open_model(path: Path, unseen: Path | None) -> Opened:
    """The model of a checkpoint and its images; those that judge lie in ``unseen`` where it is given."""
    denoiser, restored = load_denoiser(path, CPU, averaged=True)
    state = restored.state
    autoencoder, _ = load_autoencoder(Path(state["partners"]["vae"]["path"]), CPU)
    settings = DiffusionTrainSettings.model_validate(state["settings"])
    data = load_images(settings.data, settings.run, QUIET)
    if unseen is not None:
        judging = load_images(settings.data.model_copy(update=ALL_OF | {"data_dir": str(unseen)}), settings.run, QUIET)
    sides = (data.plain, data.test if unseen is None else judging.plain)
    if not len(sides[1]):
        sys.exit("no images judge: the training divided its folder in two; name a folder of others by --unseen")
    trained, judged = (stack_samples(side, range(len(side))) for side in sides)
    pipeline = stored_pipeline(state, denoiser.eval(), autoencoder)
    return Opened(pipeline, torch.stack([trained, trained.flip(-1)], 1).flatten(0, 1), judged)


def fit_forms(model: Opened) -> dict[str, GaussianDenoiser]:
    """The closed forms of the training latents by name, also of other shrinkages."""
    torch.manual_seed(0)
    latents = sample_latent(*model.encode(model.trained).unbind(1))
    fitted = fit_shrunk(((latents - model.pipeline.mean) / model.pipeline.std).flatten(1))
    others = {f"shrunk {s:g}": shrink(fitted, s) for s in SHRINKAGES}
    return {**fit_closed_forms(latents, model.pipeline.mean, model.pipeline.std), **others}


def shrink(fitted: ShrunkGaussian, shrinkage: float) -> GaussianDenoiser:
    """The denoiser of the covariance of the samples, so much of which is replaced by a multiple of I."""
    values, vectors = torch.linalg.eigh(fitted.centred.T.double() @ fitted.centred.double() / len(fitted.centred))
    variances = ((1 - shrinkage) * values.clamp(min=0) + shrinkage * fitted.variance).flip(0).float()
    few = min(MOST_DIRECTIONS, len(fitted.centred) - 1, len(values))
    rest = variances[few:].mean() if few < len(values) else variances[-1]
    return GaussianDenoiser(fitted.mean, vectors.flip(1)[:, :few].float(), variances[:few], rest)


def measure_losses(model: Opened, forms: Mapping[str, GaussianDenoiser], draws: int) -> Table:
    """Mean, interval and gain over it of each closed form, by figure; all at the same noise."""
    pipe = model.pipeline
    task = DiffusionTask(
        pipe.denoiser, alphas_cumprod=pipe.alphas_cumprod, mean=pipe.mean, std=pipe.std,
        prediction=pipe.prediction, validation_draws=draws, closed_forms=forms,
    )  # fmt: skip
    torch.manual_seed(1)
    with torch.no_grad():
        rows = [task.evaluate({"latents": moments[None]}) for moments in model.encode(model.judged)]
    values = {
        who: {one: np.array([float(row[place]) for row in rows]) for one, place in zip(NAMES, places, strict=True)}
        for who, places in {MODEL: NAMES, **{name: name_by_quarter(name) for name in forms}}.items()
    }
    shrunk = [values.pop(name) for name in list(values) if name.startswith("shrunk")]
    values["best_shrunk"] = {one: min((own[one] for own in shrunk), key=np.mean) for one in NAMES}
    kinds, bootstrap, table = [Figure(one, "", False, None) for one in NAMES], Bootstrap(4000, 0.95, 0), {}
    for name in list(values)[1:]:
        own = {MODEL: values[MODEL], name: values[name]}
        figures, gain = summarize(own, kinds, range(len(rows)), bootstrap)
        table |= {MODEL: figures[MODEL], name: figures[name], f"gain over {name}": gain}
    return table


def draw_form(form: GaussianDenoiser, count: int) -> Tensor:
    """Draws ``(count, d)`` of the distribution that a closed form is of; the same in every call."""
    torch.manual_seed(2)
    return draw_samples(form, count)


def draw_model(pipeline: LatentPipeline, count: int, steps: int) -> tuple[str, Tensor]:
    """How a model draws, and its images; flow models in the few steps that they are for."""
    flow = pipeline.prediction == "flow"
    walk = pipeline.walk() if flow else pipeline.walk("ddim", min(steps, len(pipeline.alphas_cumprod)))
    if flow and len(walk.steps) != FLOW_STEPS:
        raise ValueError(f"flow draws in {len(walk.steps)} steps")
    parts = [pipeline.draw(range(k, min(k + 32, count)), walk, seed=3) for k in range(0, count, 32)]
    return f"{pipeline.prediction}, {walk.sampler} in {len(walk.steps)} steps", torch.cat(parts)


def make_sets(
    model: Opened, forms: Mapping[str, GaussianDenoiser], beside: Sequence[Path], count: int
) -> tuple[dict[str, Tensor], list[str]]:
    """Images by what they are; the names of decoded noise."""
    shape, made = model.pipeline.latent_shape, {}
    others = ((open_model(path, None), STEPS) for path in beside)
    for one, steps in ((model, MANY_STEPS), (model, STEPS), *others):
        name, images = draw_model(one.pipeline, count, steps)
        made[name] = images
    torch.manual_seed(4)
    noise = {name: draw_form(forms[name], count).view(count, *shape) for name in (GAUSSIAN, SCALE_MIXTURE)}
    noise["independent noise"] = torch.randn(count, *shape)
    made |= {f"decoded {name}": model.decode(latents) for name, latents in noise.items()}
    some = model.trained[::2][torch.randperm(len(model.trained) // 2)[:count]]
    made |= {"training images": some, "reconstructed training images": model.reconstruct(some)}
    made |= {"held-out images": model.judged, "reconstructed held-out images": model.reconstruct(model.judged)}
    return made, [f"decoded {name}" for name in noise]


def measure_distances(made: Mapping[str, Tensor], vgg: torch.nn.Module) -> dict[str, dict[str, MeanDiscrepancy]]:
    """The distance of each set to the held-out images and to their reconstructions."""
    features = {}
    with torch.no_grad():
        for name, images in made.items():
            features[name] = torch.cat([vgg(some.clamp(-1, 1)).mean((2, 3)) for some in images.split(32)])
    targets = [name for name in made if name.endswith("held-out images")]
    return {
        target: {
            name: mean_discrepancy(own, features[target], paired=name in targets)
            for name, own in features.items()
            if name != target
        }
        for target in targets
    }


def print_distances(distances: Mapping[str, Mapping[str, MeanDiscrepancy]], noise: Sequence[str], drawn: str) -> Table:
    """The table of distances, and how much farther each kind of decoded noise is than the samples."""
    targets = list(distances)
    print("\n| kernel distance | " + " | ".join(f"to {name}" for name in targets) + " |\n|---|---|---|")
    told: Table = {}
    for name in dict.fromkeys(name for own in distances.values() for name in own):
        there = [own.get(name) for own in distances.values()]
        told[name] = {t: [d.value, d.error] for t, d in zip(targets, there, strict=True) if d}
        cells = ["" if d is None else f"{d.value:.2f} ± {d.error:.2f}" for d in there]
        print(f"| {name} | " + " | ".join(cells) + " |")
    for name in noise:
        pairs = [compare_discrepancies(own[drawn], own[name]) for own in distances.values()]
        told[name]["farther"] = {t: list(pair) for t, pair in zip(targets, pairs, strict=True)}
        print(f"| {name}, farther by | " + " | ".join(f"{a:.2f} ± {b:.2f}" for a, b in pairs) + " |")
    return told


def print_losses(table: Table) -> None:
    print(
        "| loss | all | "
        + " | ".join(f"quarter {k} of the noise" for k in range(1, 5))
        + " |\n|---|---|---|---|---|---|"
    )
    for name, row in table.items():
        cells = [f"{row[one]['mean']:.4f} [{row[one]['low']:.4f}, {row[one]['high']:.4f}]" for one in NAMES]
        print(f"| {name} | " + " | ".join(cells) + " |")


def make_parser() -> argparse.ArgumentParser:
    """The options of this script."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--checkpoint", type=Path, required=True)
    parser.add_argument("--beside", type=Path, nargs="+", default=[])
    parser.add_argument("--vgg-weights", type=Path, default=find_vgg16())
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--unseen", type=Path, help="a folder of images that judge, instead of a third side")
    parser.add_argument("--count", type=int, default=64)
    parser.add_argument("--draws", type=int, default=64)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    own = make_parser().parse_args(argv)
    ensure_torchvision()
    if own.vgg_weights is None:
        sys.exit("name the weights of a VGG16 by --vgg-weights")
    folder, model = own.folder or own.checkpoint.parent, open_model(own.checkpoint, own.unseen)
    folder.mkdir(parents=True, exist_ok=True)
    forms = fit_forms(model)
    losses = measure_losses(model, forms, own.draws)
    print_losses(losses)
    made, noise = make_sets(model, forms, own.beside, own.count)
    drawn = next(iter(made))
    distances = print_distances(measure_distances(made, load_vgg16(own.vgg_weights).eval()), noise, drawn)
    rows = torch.stack([images[:SHOWN] for images in made.values()]).flatten(0, 1)
    labels = [name.removeprefix("decoded ").removesuffix(" images").replace("reconstructed", "rec.") for name in made]
    save_labelled_grid(folder / "samples.png", rows, nrow=SHOWN, rows=labels)
    (folder / "samples.json").write_text(json.dumps({"losses": losses, "distances": distances}, indent=1))
    worse = [one for one in NAMES if losses[f"gain over {GAUSSIAN}"][one]["mean"] <= 0]
    nearer = all(farther[0] > 0 for name in noise for farther in distances[name]["farther"].values())
    return BELOW_AIM if worse or not nearer else 0


if __name__ == "__main__":
    sys.exit(main())
