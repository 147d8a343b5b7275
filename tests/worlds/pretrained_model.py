"""A text-to-image model of a few thousand weights, written by us; no library is needed."""

from __future__ import annotations

from pathlib import Path

import torch

from rsforge.data.clip_tokenizer import ClipTokenizer, Specials
from rsforge.models.autoencoder_kl import AutoencoderKL
from rsforge.models.pretrained.networks import PretrainedNetworks
from rsforge.models.pretrained.scheduler_config import ForeignSchedule
from rsforge.models.pretrained.single_file import make_schedule
from rsforge.models.text_encoder import TextEncoder
from rsforge.models.unet import UNet
from rsforge.recipes.pretrained.model import PretrainedModel
from rsforge.recipes.pretrained.save import save_folder
from tests.worlds.clip_tokens import PAIRS, vocabulary


def make_model() -> PretrainedModel:
    """Images of 16 pixels, eps-prediction."""
    torch.manual_seed(3)
    tokenizer = ClipTokenizer(vocabulary(), [tuple(pair.split()) for pair in PAIRS], Specials(max_length=16))
    networks = PretrainedNetworks(
        UNet(block_out_channels=(8, 8), layers_per_block=1, norm_num_groups=4, attention_head_dim=2,
             cross_attention_dim=8, down_block_types=("CrossAttnDownBlock2D", "DownBlock2D")),
        AutoencoderKL(block_out_channels=(8, 8), layers_per_block=1, norm_num_groups=4),
        TextEncoder(vocab_size=len(tokenizer), embedding_dim=8, max_length=16, num_heads=2, num_layers=1),
        0.5, 8, ForeignSchedule(make_schedule(), "eps"),
    )  # fmt: skip
    return PretrainedModel(networks, tokenizer)


def write_model(folder: Path) -> Path:
    """The folder of the model, as a fine-tuning leaves one."""
    save_folder(make_model(), folder)
    return folder
