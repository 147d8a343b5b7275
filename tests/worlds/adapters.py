"""Networks to adapt and random low-rank updates of them."""

from __future__ import annotations

import math

import torch

from rsforge.models.low_rank import LowRankUpdate
from rsforge.models.text_encoder import TextEncoder
from rsforge.models.unet import UNet

WIDTH = 8
UNET_LAYER = "down_blocks.0.attentions.0.transformer_blocks.0.attn2.to_v"
TEXT_LAYER = "encoder.layers.0.self_attn.q_proj"
NETWORKS = {
    "unet": UNet(
        block_out_channels=(WIDTH, WIDTH), layers_per_block=1, norm_num_groups=4, attention_head_dim=2,
        cross_attention_dim=WIDTH, down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"),
    ),
    "text_encoder": TextEncoder(vocab_size=10, embedding_dim=WIDTH, max_length=7, num_heads=2, num_layers=1),
}  # fmt: skip


def make_matrices(width_in: int, width_out: int, rank: int, seed: int = 0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(rank, width_in, generator=generator), torch.randn(width_out, rank, generator=generator)


def make_updates(network: torch.nn.Module, ends: tuple[str, ...], *, rank: int, alpha: float, size: float = 0.2):
    """Updates of the layers whose names end so, which change what the network gives by about ``size`` of itself."""
    updates = {}
    for number, (name, module) in enumerate(network.named_modules()):
        if name.endswith(ends) and getattr(module, "weight", None) is not None:
            out, *rest = module.weight.shape
            into = math.prod(rest)
            down, up = make_matrices(into, out, rank, number)
            up = (up * size / (into * rank) ** 0.5).reshape(out, rank, *[1] * (len(rest) - 1))
            updates[name] = LowRankUpdate(down.reshape(rank, *rest), up, alpha)
    return updates
