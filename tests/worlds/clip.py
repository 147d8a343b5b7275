"""Small text encoders and the pairs they are trained on."""

from __future__ import annotations

from pathlib import Path

from rsforge.data.word_tokenizer import WordTokenizer
from rsforge.engine import checkpoint
from rsforge.models.image_encoder import ContrastiveHead, ImageEncoder
from rsforge.models.text_encoder import TextEncoder
from tests.worlds.commands import rsforge

PROMPTS = ["Region: arctic, 10/20", "Region: tropical"]

TINY = (
    "--image-size 16 --embedding-dim 16 --num-heads 2 --num-layers 1 --max-length 16 --image-channels 4,8 "
    "--projection-dim 8 --num-workers 0 --batch-size 8 --warmup-steps 0 --lr 3e-3 --report-to none --device cpu "
    "--dropout 0 "
)
TRAIN = "clip train --dataset-path {} --output-dir {} " + TINY


def draw_dataset(folder: Path, count: int = 48) -> Path:
    """``Dataset/`` as the document has it: regions of pairs with their tables."""
    assert rsforge(f"data synth --kind pairs-csv --count {count} --size 16 --output-dir {{}} --quiet", folder) == 0
    return folder


def write_checkpoint(path, **changes):
    """A checkpoint as a training writes it, of networks that are not trained."""
    tokenizer = WordTokenizer.from_prompts(PROMPTS, vocab_size=50, max_length=12)
    nets = {
        "text_encoder": TextEncoder(
            vocab_size=len(tokenizer), embedding_dim=8, max_length=12, num_heads=2, num_layers=1
        ),
        "image_encoder": ImageEncoder(channels=(4, 8)),
        "head": ContrastiveHead(text_width=8, image_width=8, width=4),
    }
    state = {
        "kind": "clip",
        "architecture": {name: net.architecture for name, net in nets.items()},
        "image_size": 32,
        "vocabulary": tokenizer.vocabulary,
        "max_length": 12,
        "prompt_template": "Region: {region}",
        "radiometry": {"unit": "uint8", "low": 0.0, "high": 255.0},
        "sar_channels": 1,
        "nets": {name: net.state_dict() for name, net in nets.items()},
        "parts": {},
    }
    checkpoint.save(path, state | changes)
    return nets, tokenizer
