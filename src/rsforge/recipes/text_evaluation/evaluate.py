"""``rsforge diffusion evaluate-text``: images of held-out captions measured beside real ones and what costs nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor

from rsforge.engine import devices
from rsforge.engine.loader import Key
from rsforge.models.published_weights import RESNET18
from rsforge.recipes.console import Console
from rsforge.recipes.diffusion.sar_pipeline import TEXT
from rsforge.recipes.evaluation import files
from rsforge.recipes.evaluation.evaluation import (
    Baseline,
    Batch,
    Evaluation,
    Figure,
    Panel,
    Predict,
    Prediction,
    SetFigures,
)
from rsforge.recipes.evaluation.image_figures import IMAGE
from rsforge.recipes.evaluation.run import EvaluationSet, plan_evaluation, run_evaluation
from rsforge.recipes.evaluation.selection import chosen_on, list_selection_caveats
from rsforge.recipes.evaluation.set_distances import SetDistances
from rsforge.recipes.evaluation.summary import Bootstrap, bootstrap_groups
from rsforge.recipes.evaluation.table import table as table
from rsforge.recipes.text_evaluation import baselines
from rsforge.recipes.text_evaluation.baselines import INDEX, OTHER_CAPTIONS, OTHER_REAL, OtherImages
from rsforge.recipes.text_evaluation.captioned_subset import Captioned, CaptionedSubset, open_captioned
from rsforge.recipes.text_evaluation.class_accuracy import CLASS, AbsentAccuracy, ClassAccuracy, number_classes
from rsforge.recipes.text_evaluation.clip_score import TOKENS, clip_figure
from rsforge.recipes.text_evaluation.drawn_images import DrawnImages, check_drawn, draw_images
from rsforge.recipes.text_evaluation.judges import Judges, load_judges
from rsforge.recipes.text_evaluation.latent_gaussians import (
    GAUSSIAN,
    Asked,
    OtherLatents,
    caption_gaussian_baseline,
    encode_latents,
    gaussian_baseline,
)
from rsforge.recipes.text_evaluation.model import EvaluatedModel, open_evaluated
from rsforge.recipes.text_evaluation.protocol import PROTOCOL, Comparison, read_earlier
from rsforge.recipes.text_evaluation.report import ShownCaption, choose_shown, render_report
from rsforge.recipes.text_evaluation.validation_loss import LossPlan, ValidationLoss, fit_closed_forms
from rsforge.recipes.text_to_image.encode_images import CAPTION_GAUSSIAN
from rsforge.recipes.training import output_dir
from rsforge.seeds import derive
from rsforge.settings.text_evaluate import TextEvaluateSettings

TRUE, COLOUR = "true", "colour_l1"
FILES = (*files.FILES, files.REPORT)
CROP = "scaled to the shorter side, cropped at the centre"


@dataclass(frozen=True)
class Measured:
    """Everything that the figures are made of."""

    settings: TextEvaluateSettings
    model: EvaluatedModel
    subset: CaptionedSubset
    judges: Judges
    losses: LossPlan
    device: torch.device

    @property
    def images(self) -> Captioned:
        return self.subset.measured

    def describe_protocol(self) -> dict[str, Any]:
        """What must be alike where figures of two models are compared."""
        return {
            "images": len(self.images), "images_digest": self.images.digest, "captions": "the first of each image",
            "image_size": self.model.image_size, "crop": CROP, "seed": self.settings.evaluation.seed,
            **self.model.describe_drawing(), **self.judges.protocol,
        }  # fmt: skip


def evaluate(settings: TextEvaluateSettings, console: Console) -> dict[str, Any]:
    """Figures of the model over the set and by image, beside real images and baselines."""
    own = settings.evaluation
    files.check_output(own.output_dir, overwrite=own.overwrite, names=FILES)
    files.check_outside(own.output_dir, settings.data.data_dir)
    device = devices.choose(settings.device)
    model = open_evaluated(settings, device, console)
    subset = open_captioned(settings, model.state, model.image_size, console)
    judges = load_judges(settings, subset.measured.classes, device, console)
    if judges.scorer is not None:
        judges.scorer.warn_of_long(subset.measured.captions, console)
    losses = LossPlan.of_training(model.state, settings.validation_draws, own.seed, settings.batch_size)
    measured = Measured(settings, model, subset, judges, losses, device)
    facts = describe(measured)
    record = {name: facts[name] for name in ("weights",)} | {
        name: facts[PROTOCOL][name] for name in (*model.describe_drawing(), "images_digest", "image_size", "seed")
    }
    check_drawn(own.output_dir, record, overwrite=own.overwrite)
    earlier = None if own.compare is None else read_earlier(own.compare, facts[PROTOCOL])
    if console.dry_run:
        return plan_evaluation(facts, judges.absent, own)
    if own.output_dir is not None:
        output_dir.make(own.output_dir)
    drawn = draw_images(
        partial(model.draw, subset.measured.captions), len(subset.measured), own.output_dir, record, console,
        batch_size=settings.batch_size, overwrite=own.overwrite,
    )  # fmt: skip
    compared = [] if earlier is None or own.compare is None else [Comparison(earlier, own.compare)]
    return measure(measured, drawn, facts, compared, console)


def describe(measured: Measured) -> dict[str, Any]:
    """What is measured, and how."""
    settings, model, chosen = measured.settings, measured.model, measured.subset.chosen
    return {
        "checkpoint": str(settings.pipeline),
        "weights": model.digest,
        "adapters": model.adapters,
        "data_dir": settings.data.data_dir,
        "side": chosen.subset,
        "side_reason": chosen.reason,
        "chosen_on": chosen_on(model.state) if model.state else None,
        "images": len(measured.images),
        "left_out": measured.subset.left_out,
        "scenes": len(set(chosen.scenes) - {""}),
        "classes": len(set(measured.images.classes)),
        "image_size": model.image_size,
        "trained_on": chosen.trained,
        **model.describe_drawing(),
        PROTOCOL: measured.describe_protocol(),
    }


def measure(
    measured: Measured, drawn: DrawnImages, facts: Mapping[str, Any], compared: Sequence[SetFigures], console: Console
) -> dict[str, Any]:
    """Run the evaluation of the images that were drawn."""
    settings, subset, judges, device = measured.settings, measured.subset, measured.judges, measured.device
    own, count = settings.evaluation, len(measured.images)
    _, labels, other_labels = number_classes(subset.measured.classes, subset.others.classes)
    tokens = None if judges.scorer is None else judges.scorer.encode(subset.measured.captions)
    samples = CaptionedItems(measured.images, measured.images.captions, labels, tokens)
    latents = encode_others(measured, console)
    found, absent = list_baselines(measured, drawn, latents, other_labels)
    bootstrap = Bootstrap(own.resamples, own.confidence, derive(own.seed, "bootstrap"))
    accuracy: SetFigures = AbsentAccuracy()
    if judges.classifier is not None:
        groups = bootstrap_groups(subset.chosen.scenes)[0]
        accuracy = ClassAccuracy(judges.classifier, TRUE, groups, bootstrap, console, reference=OTHER_REAL)
    shown: dict[str, Predict] = {"drawn": lambda batch: {IMAGE: drawn.read(batch[INDEX]).to(device)}}
    shown |= {one.name: one.predict for one in found if one.name == CAPTION_GAUSSIAN}
    evaluation = Evaluation(
        model=shown["drawn"],
        figures=[clip_figure(judges.scorer), Figure(COLOUR, "of [-1, 1]", False, compare_colours)],
        baselines=found,
        panels=lambda batch, prediction: show_panels(shown, batch),
        batch_of=collect,
        ranked_by=COLOUR if judges.scorer is None else clip_figure(None).name,
        of_set=[
            SetDistances(judges.inception, TRUE, count=count, seed=own.seed, device=device),
            accuracy,
            ValidationLoss(measured.model.model, measured.images, measured.losses, device, fit_closed_forms(latents)),
            *compared,
        ],
        page=lambda result: render_report(result, show_captions(measured.images, shown)),
        task="text-to-image",
    )
    data = EvaluationSet(samples, subset.chosen.scenes, list_doubts(measured))
    absent |= judges.absent
    return run_evaluation(evaluation, data, facts, absent, own, console, batch_size=settings.batch_size, device=device)


def encode_others(measured: Measured, console: Console) -> OtherLatents | None:
    """What closed forms are fitted to; None where there are no two other real images."""
    others, model, settings = measured.subset.others, measured.model, measured.settings
    if len(others) < 2:
        return None
    tokenizer, seed, size = model.model.tokenizer, settings.evaluation.seed, settings.batch_size
    return encode_latents(others, model.pipeline, tokenizer, seed, console, size=size)


def list_doubts(measured: Measured) -> list[str]:
    """What a reader of the figures must know."""
    chosen, classifier = measured.subset.chosen, measured.judges.classifier
    doubts = chosen.list_caveats("images")
    doubts += list_selection_caveats(measured.model.state, chosen.subset, own=chosen.own)
    if classifier is not None and classifier.first is None:
        what = "the classifier began with random weights, where published accuracies began with ImageNet's"
        doubts.append(f"{what}: rsforge weights fetch {RESNET18.name}, or --resnet-weights")
    return doubts


@dataclass(frozen=True)
class CaptionedItems:
    """Images with their number, caption, class and token ids: what batches are made of."""

    images: Captioned
    captions: list[str]
    labels: Tensor
    tokens: Tensor | None

    def __len__(self) -> int:
        return len(self.images)

    def name(self, index: int) -> str:
        return self.images.samples.name(index)

    def __getitem__(self, key: Key) -> dict[str, Any]:
        index = key[1]
        item = {
            INDEX: index,
            TEXT: self.captions[index],
            TRUE: self.images.samples[0, index],
            CLASS: self.labels[index],
        }
        return item if self.tokens is None else item | {TOKENS: self.tokens[index]}


def collect(items: Sequence[dict[str, Any]]) -> Batch:
    """A batch of ``CaptionedItems``; the numbers of the images and their captions are lists."""
    columns = {name: [item[name] for item in items] for name in items[0]}
    return {name: column if name in (INDEX, TEXT) else torch.stack(column) for name, column in columns.items()}


def compare_colours(prediction: Prediction, batch: Batch) -> Tensor:
    """How far the mean colour of each image is from that of the true image of its caption ``(B,)``."""
    ours, true = (images.mean((2, 3)) for images in (prediction[IMAGE], batch[TRUE]))
    return (ours - true).abs().mean(1)


def list_baselines(
    measured: Measured, drawn: DrawnImages, latents: OtherLatents | None, other_labels: Tensor
) -> tuple[list[Baseline], dict[str, str]]:
    """What the model is compared with, and why others are absent, by name."""
    settings, others, scorer = measured.settings, measured.subset.others, measured.judges.scorer
    seed, count, device = settings.evaluation.seed, len(measured.images), measured.device
    found: list[Baseline] = []
    absent: dict[str, str] = {}
    tokens = None if scorer is None or not len(others) else scorer.encode(others.captions)
    rest = OtherImages(others, other_labels, tokens)
    classified = measured.judges.classifier is not None
    chosen = rest.choose(count, seed, classified=classified)
    if chosen is None:
        absent[OTHER_REAL] = rest.explain_few(count, classified=classified)
    else:
        found.append(rest.baseline(chosen, device))
    if count > 1:
        found.append(baselines.caption_baseline(drawn, count, seed, device))
    else:
        absent[OTHER_CAPTIONS] = "one image is measured"
    if latents is None:
        absent |= dict.fromkeys((GAUSSIAN, CAPTION_GAUSSIAN), "there are no other real images to fit it on")
        return found, absent
    model = measured.model
    found.append(gaussian_baseline(latents, model.pipeline, seed))
    asked = Asked.of(model.model.tokenizer, measured.images.captions, settings)
    found.append(caption_gaussian_baseline(latents, model.pipeline, asked, seed))
    return found, absent


def show_captions(images: Captioned, predictors: Mapping[str, Predict]) -> list[ShownCaption]:
    """Some of the captions with their true image and that of each of ``predictors``."""
    shown = []
    for k in choose_shown(len(images)):
        pictures = {name: predict({INDEX: [k]})[IMAGE][0].cpu() for name, predict in predictors.items()}
        shown.append(ShownCaption(images.captions[k], {"true": images.samples[0, k], **pictures}))
    return shown


def show_panels(predictors: Mapping[str, Predict], batch: Batch) -> list[Panel]:
    """The true image with its caption, and that of each of ``predictors``."""
    pictures = {name: predict(batch)[IMAGE][0] for name, predict in predictors.items()}
    return [Panel("true", batch[TRUE][0], note=batch[TEXT][0]), *(Panel(name, own) for name, own in pictures.items())]
