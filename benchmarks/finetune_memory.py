"""What fits on which GPU: the memory of fine-tuning Stable Diffusion 1.5 at 512 pixels, by settings.

Nothing is measured: networks of the published sizes take a step on tensors that have shapes and no values, counted as a
GPU allocates. Latents and vectors of captions are stored, activations are recomputed; autoencoder and text tower, which
draw the validation images, stay on the device in single precision. ``draw`` is the most that drawing one of these
takes, decoding it included. ``fits`` are the cards that have a tenth more than the larger of the two, and 1 GiB for the
program itself. It takes minutes. Half precision stands for fp16 and bf16, which take the same.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import partial
from typing import NamedTuple

import torch
from torch import nn

from rsforge.engine.ema import ExponentialMovingAverage, NoEma
from rsforge.engine.loader import MicroBatch
from rsforge.engine.precision import Precision
from rsforge.engine.step_memory import StepMemory, estimate_step, without_values
from rsforge.engine.train_step import TrainStep
from rsforge.models.adapter import attach_adapter, make_adapter
from rsforge.models.autoencoder_kl import AutoencoderKL
from rsforge.models.conditioning import Conditioning, ConditionInput
from rsforge.models.pretrained.single_file import make_schedule
from rsforge.models.recompute import use_checkpointing
from rsforge.models.text_encoder import TextEncoder
from rsforge.models.unet import UNet
from rsforge.noise.schedules import table_of
from rsforge.tasks.diffusion import DiffusionTask

GIB = 1 << 30
CARDS = (12, 16, 24)
PROGRAM, SLACK = 1.0, 1.1  # GiB of CUDA itself, and what the allocator loses between its pieces
CPU = torch.device("cpu")


class Shape(NamedTuple):
    """Sizes of a Stable Diffusion model: widths of its networks, of vectors and latents, and ``layers`` of a level."""

    unet: tuple[int, ...] = (320, 640, 1280, 1280)
    autoencoder: tuple[int, ...] = (128, 256, 512, 512)
    width: int = 768
    heads: int = 8
    text_layers: int = 12
    latent_size: int = 64
    layers: int = 2


PUBLISHED = Shape()


class Choice(NamedTuple):
    """Settings that decide on memory; ``rank`` 0 trains the whole U-Net."""

    rank: int = 0
    half: bool = True
    ema: bool = True
    small_moments: bool = False
    batch: int = 1
    accumulate: int = 4

    def __str__(self) -> str:
        return " ".join([
            f"--lora-rank {self.rank}" if self.rank else "whole U-Net", "fp16" if self.half else "fp32",
            "EMA" if self.ema else "--no-ema", f"--batch-size {self.batch}",
            *(["--optimizer adamw-8bit"] if self.small_moments else []),
        ])  # fmt: skip


CHOICES = [
    Choice(), Choice(ema=False), Choice(half=False), Choice(half=False, ema=False), Choice(batch=4),
    Choice(small_moments=True), Choice(ema=False, small_moments=True),
    Choice(half=False, ema=False, small_moments=True),
    Choice(rank=4), Choice(rank=64), Choice(rank=4, half=False), Choice(rank=4, batch=4), Choice(rank=4, batch=8),
]  # fmt: skip


class SmallMoments(torch.optim.Optimizer):
    """Remembers what adamw-8bit does: two bytes of each weight. The package itself computes on a GPU alone."""

    def __init__(self, parameters: Sequence[nn.Parameter]) -> None:
        super().__init__(parameters, {"lr": 1e-6})

    def step(self) -> None:  # type: ignore[override]
        for parameter in self.param_groups[0]["params"]:
            self.state[parameter] = self.state[parameter] or {
                name: torch.empty_like(parameter, dtype=torch.uint8) for name in ("exp_avg", "exp_avg_sq")
            }


def build(shape: Shape) -> tuple[UNet, AutoencoderKL, TextEncoder]:
    """The networks, without values."""
    last = len(shape.unet) - 1
    blocks = ("CrossAttnDownBlock2D",) * last + ("DownBlock2D",)
    with torch.device("meta"):
        unet = UNet(
            block_out_channels=shape.unet, layers_per_block=shape.layers, down_block_types=blocks,
            attention_head_dim=shape.heads, cross_attention_dim=shape.width,
        )  # fmt: skip
        autoencoder = AutoencoderKL(block_out_channels=shape.autoencoder, layers_per_block=shape.layers)
        tower = TextEncoder(
            vocab_size=49408, embedding_dim=shape.width, max_length=77, num_heads=12, num_layers=shape.text_layers
        )
    return unet, autoencoder, tower


def estimate(choice: Choice, shape: Shape = PUBLISHED) -> int:
    """The bytes of an optimizer step, frozen networks included."""
    unet, autoencoder, tower = build(shape)
    use_checkpointing(unet)
    trained: nn.Module = unet
    frozen: list[nn.Module] = [autoencoder, tower]
    if choice.rank:
        trained = make_adapter(unet, rank=choice.rank)
        attach_adapter(unet, trained)
        frozen.append(unet)
    for network in frozen:
        network.requires_grad_(False)
    trained.requires_grad_(True)
    task = _make_task(unet, trained, shape)
    size = shape.latent_size
    batch = without_values({"latents": torch.empty(1, 2, 4, size, size), "text": torch.empty(1, 77, shape.width)},
                           choice.batch)  # fmt: skip
    # From the third micro-batch on each takes no more than the second: activations are freed before.
    micros = [MicroBatch(batch, 1.0, slot, ()) for slot in range(min(choice.accumulate, 2))]
    step = partial(_make_step, task, choice)
    return estimate_step(step, [trained, *frozen], micros, CPU, as_gpu=True)


def _make_task(unet: UNet, trained: nn.Module, shape: Shape) -> DiffusionTask:
    return DiffusionTask(
        unet,
        alphas_cumprod=table_of(make_schedule()),
        mean=torch.zeros(4, 1, 1),
        std=torch.ones(4, 1, 1),
        conditioning=Conditioning((ConditionInput("text", "context", 0.1, null=torch.zeros(77, shape.width)),)),
        trained={"trained": trained},
    )


def _make_step(task: DiffusionTask, choice: Choice) -> TrainStep:
    return TrainStep(
        task,
        make_optimizer=SmallMoments if choice.small_moments else partial(torch.optim.AdamW, lr=1e-6, fused=True),
        average=ExponentialMovingAverage(task.modules(), decay=0.9999) if choice.ema else NoEma(),
        device=CPU,
        precision=Precision(torch.bfloat16) if choice.half else Precision(),
        max_norm=1.0,
    )


def estimate_drawing(shape: Shape = PUBLISHED) -> int:
    """The bytes that decoding a validation image takes, beside weights: it takes more than the walk to its latents."""
    autoencoder = build(shape)[1].to_empty(device="meta")
    with torch.no_grad(), StepMemory(torch.device("meta")) as memory:
        autoencoder.decode(torch.empty(1, 4, shape.latent_size, shape.latent_size, device="meta"))
    peak: int = memory.peak
    return peak


def held(choice: Choice, shape: Shape = PUBLISHED) -> int:
    """The bytes that live between two steps: weights, moments and averages."""
    unet, autoencoder, tower = build(shape)
    adapter = make_adapter(unet, rank=choice.rank) if choice.rank else None
    trained = count(adapter or unet)
    every = count(unet) + count(autoencoder) + count(tower) + (trained if adapter else 0)
    # While an average draws, the weights that it stands for are kept.
    moments = trained // 2 if choice.small_moments else 2 * trained
    return 4 * (every + moments + 2 * trained * choice.ema)


def count(network: nn.Module) -> int:
    return sum(p.numel() for p in network.parameters())


def describe(choice: Choice, drawing: int, shape: Shape = PUBLISHED) -> dict[str, object]:
    """The figures of ``choice`` in GiB, and the cards that it fits on."""
    step, draw = estimate(choice, shape) / GIB, (held(choice, shape) + drawing) / GIB
    needed = PROGRAM + SLACK * max(step, draw)
    fits = [card for card in CARDS if needed <= card]
    return {"step_gib": round(step, 2), "draw_gib": round(draw, 2), "needed_gib": round(needed, 1), "fits": fits}


def main(choices: Sequence[Choice] = CHOICES, shape: Shape = PUBLISHED) -> None:
    drawing = estimate_drawing(shape)
    sides = {str(choice): describe(choice, drawing, shape) for choice in choices}
    print(json.dumps({"benchmark": "finetune_memory", "model": "Stable Diffusion 1.5, 512 pixels", "sides": sides}))


if __name__ == "__main__":
    main()
