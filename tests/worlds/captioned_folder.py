"""A folder of small captioned images, and the fine-tuning of a model of a few thousand weights on them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

LINE = (
    "diffusion finetune --pretrained-model {} --data-dir {} --output-dir {} --resolution 16 --max-train-steps 6 "
    "--batch-size 4 --grad-accum 1 --lr 1e-3 --num-workers 0 --validation-draws 2 --validation-steps 2 "
    "--validation-images 1 --validation-prompt trees --report-to none --save-every-steps 1 --log-every 1 "
    "--validate-every 2 --mixed-precision no --quiet "
)
LORA = LINE.replace("--save-every-steps 1", "--save-every-steps 2") + "--lora-rank 2 --lora-alpha 4 --lr 0.05 "
SCRATCH = (
    "diffusion finetune --data-dir {} --output-dir {} --config finetune-tiny --resolution 16 --max-train-steps 4 "
    "--batch-size 4 --lr-warmup-steps 0 --validation-draws 2 --validation-steps 2 --validation-images 1 "
    "--unet-channels 8,8 --unet-attention-levels 2 --unet-num-heads 2 --no-vae-linear-start --vae-channels 8,8 "
    "--vae-latent-channels 4 --vae-epochs 1 --vae-learning-rate 1e-3 --vae-perceptual no --text-num-layers 1 "
    "--text-embedding-dim 8 --text-max-length 12 --report-to none --save-every-steps 2 --log-every 1 --quiet "
)
WORDS = ["a river and trees", "trees beside a river", "an airport", "a river"]


def write_captioned_folder(
    folder: Path, count: int = 10, *, parent: bool = False, classes: Sequence[str] = ("image",)
) -> Path:
    """Images of stripes; every second one has three captions. The table lies beside them, or in the parent.

    Names begin with the ``classes``, one after the other.
    """
    folder.mkdir(parents=True)
    lines = []
    for k in range(count):
        columns = np.sin(np.arange(20) * (1 + k) / 3 + k)[None, :, None] * 100 + 128
        pixels = np.broadcast_to(columns, (20, 20, 3)).astype(np.uint8).copy()
        pixels[..., k % 3] //= 2
        name = f"{classes[k % len(classes)]}_{k:06d}.png"
        Image.fromarray(pixels).save(folder / name)
        text = [f"{WORDS[k % 4]} {n}" for n in range(3)] if k % 2 else WORDS[k % 4]
        lines.append(json.dumps({"file_name": name, "text": text}))
    table = (folder.parent if parent else folder) / "metadata.jsonl"
    table.write_text("\n".join(lines) + "\n", "utf-8")
    return folder
