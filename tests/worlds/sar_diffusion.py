"""A small world for SAR-to-optical diffusion: pairs with tables, a text encoder, and a model trained on them."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from PIL import Image

from rsforge.data.prompts import DEFAULT_TEMPLATE
from rsforge.data.synthetic.world import REGIONS, SEASONS
from rsforge.data.word_tokenizer import WordTokenizer
from rsforge.engine import checkpoint
from rsforge.models.image_encoder import ContrastiveHead, ImageEncoder
from rsforge.models.text_encoder import TextEncoder
from tests.worlds.commands import rsforge

LENGTH, WIDTH = 16, 16
NETWORKS = (
    "--image-size 32 --unet-channels 16 16 --unet-layers-per-block 1 --unet-attention-levels 2 --unet-num-heads 2 "
    "--vae-channels 8 8 --vae-layers-per-block 1 --vae-epochs 1 --vae-batch-size 8 --vae-perceptual no "
)
PLAN = "--grad-accum 1 --warmup-steps 0 --validate-every 1 --validation-draws 2 --timesteps 20 --lr-scheduler none "
SAR = f"{NETWORKS}{PLAN}--batch-size 8 --num-workers 0 --report-to none --device cpu "
DRAWING = "--model-checkpoint {} --device cpu --num-inference-steps 3 --guidance-scale 1.5 --seed 1 "
LINE = f"diffusion train-sar --data-dir {{}} --clip-checkpoint {{}} --output-dir {{}} {SAR}"


class SarWorld(NamedTuple):
    pairs: Path
    clip: Path
    model: Path


def write_text_encoder(path: Path, *, seed: int = 0) -> None:
    """The checkpoint of a text encoder that knows the prompts of drawn pairs and was not trained."""
    torch.manual_seed(seed)
    prompts = [DEFAULT_TEMPLATE.format(region=region, season=season) for region in REGIONS for season in SEASONS]
    tokenizer = WordTokenizer.from_prompts([*prompts, "unknown"], vocab_size=50, max_length=LENGTH)
    nets = {
        "text_encoder": TextEncoder(
            vocab_size=len(tokenizer), embedding_dim=WIDTH, max_length=LENGTH, num_heads=2, num_layers=1
        ),
        "image_encoder": ImageEncoder(channels=(4, 8)),
        "head": ContrastiveHead(text_width=WIDTH, image_width=8, width=4),
    }
    state = {
        "kind": "clip",
        "architecture": {name: net.architecture for name, net in nets.items()},
        "image_size": 32,
        "vocabulary": tokenizer.vocabulary,
        "max_length": LENGTH,
        "prompt_template": DEFAULT_TEMPLATE,
        "radiometry": {"unit": "uint8", "low": 0.0, "high": 255.0},
        "sar_channels": 1,
        "nets": {name: net.state_dict() for name, net in nets.items()},
        "parts": {},
    }
    checkpoint.save(path, state)


def make_world(base: Path) -> SarWorld:
    """Pairs of four scenes in three regions, a text encoder, and a model of two epochs with its own autoencoder."""
    pairs, clip, model = base / "Dataset", base / "clip.pt", base / "model"
    assert rsforge("data synth --kind pairs-csv --count 16 --size 32 --seed 3 --quiet --output-dir {}", pairs) == 0
    write_text_encoder(clip)
    line = LINE + "--epochs 2 --save-every 1 --sample-every 1"
    assert rsforge(line, pairs, clip, model) == 0
    return SarWorld(pairs, clip, model)


def first_image(world: SarWorld) -> Path:
    """The SAR image of the first pair."""
    return world.pairs / "r_000" / "s1_000" / "img_p1.png"


def pixels(path: Path) -> np.ndarray:
    """The pixels of a picture as red, green and blue."""
    return np.asarray(Image.open(path).convert("RGB"))
