"""``rsforge diffusion``: diffusion in the latent space of an autoencoder."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rsforge.cli.bridge import command
from rsforge.cli.evaluation import give_evaluation
from rsforge.cli.group import group
from rsforge.cli.terminal import TerminalConsole
from rsforge.cli.tree import Result
from rsforge.settings.diffusion import DiffusionTrainSettings
from rsforge.settings.diffusion_evaluate import SarEvaluateSettings
from rsforge.settings.diffusion_export import DiffusionExportSettings
from rsforge.settings.diffusion_sar import SarTrainSettings
from rsforge.settings.diffusion_unconditional import UnconditionalEvaluateSettings
from rsforge.settings.finetune import FinetuneSettings
from rsforge.settings.text_evaluate import TextEvaluateSettings

app = group()


def _method() -> Any:
    from rsforge.recipes.diffusion.train import METHOD

    return METHOD


def _inherit(given: Mapping[str, Any]) -> tuple[Mapping[str, Any], str]:
    from rsforge.recipes.vae.inherit import inherit

    return inherit(given)


@command(
    app,
    "diffusion train",
    DiffusionTrainSettings,
    writes=True,
    method=_method,
    inputs=_inherit,
    epilog="Example: rsforge diffusion train --vae vae_models/best_model.pt",
)
def train(settings: DiffusionTrainSettings, console: TerminalConsole) -> dict[str, Any]:
    """Train a diffusion model on the latents of a trained autoencoder."""
    from rsforge.recipes.diffusion.train import train as recipe

    return recipe(settings, console)


def _sar_method() -> Any:
    from rsforge.recipes.diffusion.train_sar import METHOD

    return METHOD


@command(
    app,
    "diffusion train-sar",
    SarTrainSettings,
    writes=True,
    method=_sar_method,
    epilog="Example: rsforge diffusion train-sar --data-dir Dataset --clip-checkpoint checkpoints/clip/best_clip.pt",
)
def train_sar(settings: SarTrainSettings, console: TerminalConsole) -> dict[str, Any]:
    """Train a diffusion model from SAR to optical images, steered by prompts."""
    from rsforge.recipes.diffusion.train_sar import train as recipe

    return recipe(settings, console)


def _text_method() -> Any:
    from rsforge.recipes.text_to_image.finetune import METHOD

    return METHOD


@command(
    app,
    "diffusion finetune",
    FinetuneSettings,
    writes=True,
    method=_text_method,
    epilog="Example: rsforge diffusion finetune --pretrained-model sd15 --data-dir data/rsicd_images",
)
def finetune(settings: FinetuneSettings, console: TerminalConsole) -> dict[str, Any]:
    """Fine-tune a Stable Diffusion model on captioned images, or train a small one from scratch."""
    from rsforge.recipes.text_to_image.finetune import train as recipe

    return recipe(settings, console)


@command(
    app,
    "diffusion evaluate",
    SarEvaluateSettings,
    writes=True,
    epilog="Example: rsforge diffusion evaluate --data-dir Dataset --samples 8 --worlds 20 --strength 1",
)
def evaluate(settings: SarEvaluateSettings, console: TerminalConsole) -> Result:
    """Measure drawn optical images beside trivial baselines, and how far they are to be trusted."""
    from rsforge.recipes.diffusion.evaluate import evaluate as recipe
    from rsforge.recipes.diffusion.evaluate import table

    return give_evaluation(recipe, table, settings, console)


@command(
    app,
    "diffusion evaluate-text",
    TextEvaluateSettings,
    writes=True,
    epilog="Example: rsforge diffusion evaluate --pipeline RemoteDiff/best_model.pt --data-dir data/rsicd_images",
)
def evaluate_text(settings: TextEvaluateSettings, console: TerminalConsole) -> Result:
    """Measure images drawn for held-out captions beside real ones; also `diffusion evaluate --pipeline`."""
    from rsforge.recipes.text_evaluation.evaluate import evaluate as recipe
    from rsforge.recipes.text_evaluation.evaluate import table

    return give_evaluation(recipe, table, settings, console)


@command(
    app,
    "diffusion evaluate-unconditional",
    UnconditionalEvaluateSettings,
    writes=True,
    epilog="Example: rsforge diffusion evaluate-unconditional --data-dir images --vgg-weights vgg16.pth",
)
def evaluate_unconditional(settings: UnconditionalEvaluateSettings, console: TerminalConsole) -> Result:
    """Measure a model of `diffusion train`, its denoising and its samples, beside closed forms without a network."""
    from rsforge.recipes.unconditional_evaluation.evaluate import evaluate as recipe
    from rsforge.recipes.unconditional_evaluation.evaluate import table

    return give_evaluation(recipe, table, settings, console)


@command(
    app,
    "diffusion export",
    DiffusionExportSettings,
    writes=True,
    epilog="Example: rsforge diffusion export --pipeline sd15 --lora fields.safetensors:0.8 --output-dir exported",
)
def export(settings: DiffusionExportSettings, console: TerminalConsole) -> dict[str, Any]:
    """Write a text-to-image model, adapters merged, as a folder that diffusers loads, with a model card."""
    from rsforge.recipes.text_to_image.export import export as recipe

    return recipe(settings, console)
