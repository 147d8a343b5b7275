"""``rsforge clip train``: a text encoder, by contrast between prompts and optical images."""

from __future__ import annotations

import hashlib
import shlex
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from rsforge.data.prompts import DEFAULT_TEMPLATE, PromptTemplate
from rsforge.data.word_tokenizer import WordTokenizer
from rsforge.errors import RsforgeError
from rsforge.models.image_encoder import ContrastiveHead, ImageEncoder
from rsforge.models.text_encoder import TextEncoder
from rsforge.recipes.clip.baselines import fit_baselines, fitted_bytes
from rsforge.recipes.clip.judge import judge
from rsforge.recipes.clip.load import REQUIRED
from rsforge.recipes.clip.output_names import CLIP
from rsforge.recipes.clip.prompted_images import PromptedImages, PromptedSets, number_prompts
from rsforge.recipes.console import Console, is_given
from rsforge.recipes.datasets.pair_split import PairSets
from rsforge.recipes.datasets.pairs import load_pairs
from rsforge.recipes.datasets.prompts import check_lengths, warn_of_unknown_words, write_prompts
from rsforge.recipes.tracking.loss_plots import Curves
from rsforge.recipes.training.job import Compute, TrainingSpec
from rsforge.recipes.training.method import Method
from rsforge.recipes.training.plan import Undrawn
from rsforge.recipes.training.run import fit
from rsforge.settings.clip import ClipTrainSettings
from rsforge.tasks.clip import ClipTask
from rsforge.wording import count_noun

CURVES: Curves = {
    "contrastive loss": ["loss", "val/loss"],
    "prompts found first": ["val/recall_1", "val/chance_1"],
    "prompts found among five": ["val/recall_5", "val/chance_5"],
    "temperature": ["temperature"],
}


class Networks(NamedTuple):
    """The networks of a checkpoint, under their names in it."""

    text_encoder: TextEncoder
    image_encoder: ImageEncoder
    head: ContrastiveHead


def train(settings: ClipTrainSettings, console: Console) -> dict[str, Any]:
    """Train a text encoder and an image encoder; returns where they lie and how good they became."""
    return fit(METHOD, settings, console)


def check(settings: ClipTrainSettings, console: Console) -> None:
    """RSF-U005 for a template or a network that cannot be; warnings of what does not do what one may expect."""
    _template(settings)
    with Undrawn():
        build(settings, settings.encoder.vocab_size)
    loop = settings.loop
    if loop.batch_size == 1 and settings.run.processes == 1 and not settings.run.multi_gpu:
        what = "a batch of one image has nothing to be told apart from"
        raise RsforgeError("RSF-U005", what, where="--batch-size", fix="use --batch-size 32")
    if loop.grad_accum > 1:
        console.warn("--grad-accum brings no more negatives: each batch of --batch-size is contrasted by itself")
    if any(is_given(name, console) for name in ("sample_every", "sample_every_steps")):
        console.warn("--sample-every is not used: a text encoder has no pictures")


def _template(settings: ClipTrainSettings) -> PromptTemplate:
    return PromptTemplate(settings.encoder.prompt_template or DEFAULT_TEMPLATE)


def build(settings: ClipTrainSettings, words: int) -> Networks:
    """The three networks, for a vocabulary of so many ``words``; RSF-U005 for sizes that do not fit together."""
    text, image = settings.encoder, settings.image
    try:
        text_encoder = TextEncoder(
            vocab_size=words,
            embedding_dim=text.embedding_dim,
            max_length=text.max_length,
            num_heads=text.num_heads,
            num_layers=text.num_layers,
            dropout=text.dropout,
        )
    except ValueError as error:
        raise RsforgeError("RSF-U005", str(error), where="--num-heads, --embedding-dim") from error
    image_encoder = ImageEncoder(channels=image.image_channels)
    head = ContrastiveHead(text_width=text.embedding_dim, image_width=image_encoder.width, width=image.projection_dim)
    return Networks(text_encoder, image_encoder, head)


def read_images(settings: ClipTrainSettings, compute: Compute, console: Console) -> PromptedSets:
    pairs = load_pairs(settings.data, settings.run, console)
    template, encoder = _template(settings), settings.encoder
    metadata = [*pairs.train_metadata, *pairs.held_out_metadata]
    prompts = write_prompts(template, metadata, console)
    trained = prompts[: len(pairs.train_metadata)]
    _check_variety(trained, template)
    tokenizer = WordTokenizer.from_prompts(trained, vocab_size=encoder.vocab_size, max_length=encoder.max_length)
    check_lengths(tokenizer, prompts)
    warn_of_unknown_words(tokenizer, prompts, console)
    return _number(pairs, prompts, template, tokenizer, console)


def _check_variety(prompts: list[str], template: PromptTemplate) -> None:
    """RSF-D004 where all training images have one prompt: there is nothing to tell apart."""
    if len(set(prompts)) < 2:
        raise RsforgeError(
            "RSF-D004",
            "all training images have the same prompt",
            where="--prompt-template",
            found=prompts[0][:160],
            fix=f"fill the columns {', '.join(template.fields)} of the tables, or use others in --prompt-template",
        )


def _number(
    pairs: PairSets, prompts: list[str], template: PromptTemplate, tokenizer: WordTokenizer, console: Console
) -> PromptedSets:
    distinct, labels = number_prompts(prompts)
    count = len(pairs.train_metadata)
    longest = max(tokenizer.count_tokens(distinct))
    console.say(
        f"prompts    {len(distinct)} distinct, {count_noun(len(tokenizer), 'word')} with the specials, "
        f"at most {longest} tokens"
    )
    digest = hashlib.sha256("\n".join(prompts).encode()).hexdigest()
    return PromptedSets(
        train=PromptedImages(pairs.train, labels[:count]),
        plain=PromptedImages(pairs.plain, labels[:count]),
        held_out=PromptedImages(pairs.held_out, labels[count:]),
        prompts=distinct,
        tokens=tokenizer.encode(distinct),
        template=template,
        tokenizer=tokenizer,
        identity={**pairs.identity, "prompts": digest},
        pairs=pairs,
    )


def build_networks(settings: ClipTrainSettings, data: PromptedSets, compute: Compute) -> Networks:
    return build(settings, len(data.tokenizer))


def spec(
    settings: ClipTrainSettings, data: PromptedSets, nets: Networks, compute: Compute, console: Console
) -> TrainingSpec:
    """The task, its monitor, and what checkpoints say of the model."""
    task = ClipTask(nets.text_encoder, nets.image_encoder, nets.head, data.tokens.to(compute.device))
    return TrainingSpec(
        task,
        data.train,
        data.held_out,
        identity={
            "architecture": {name: net.architecture for name, net in nets._asdict().items()},
            "image_size": settings.data.image_size,
            "normalisation": {"low": -1.0, "high": 1.0},
            "vocabulary": data.tokenizer.vocabulary,
            "max_length": data.tokenizer.max_length,
            "prompt_template": data.template.text,
            "radiometry": data.pairs.radiometry.as_dict(),
            "sar_channels": data.pairs.sar_channels,
            "trained": list(data.pairs.trained),
            "scaled": data.pairs.scaled,
        },
        monitor="val/loss",
        even=True,
        baselines=partial(fit_baselines, data.plain, data.prompts),
        fitted_bytes=fitted_bytes(data.prompts),
    )


def next_command(settings: ClipTrainSettings, checkpoint: Path) -> str:
    words = ["--checkpoint", str(checkpoint), "--data-dir", settings.data.data_dir]
    return shlex.join(["rsforge", "clip", "evaluate", *words])


METHOD: Method[ClipTrainSettings, PromptedSets, Networks] = Method(
    kind="clip",
    outputs=CLIP,
    curves=CURVES,
    required=REQUIRED,
    check=check,
    datasets=read_images,
    networks=build_networks,
    spec=spec,
    judge=judge,
    next_command=next_command,
)
