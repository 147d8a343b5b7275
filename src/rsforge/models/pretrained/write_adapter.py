"""Low-rank adapters written for diffusers, peft and kohya's programs."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from rsforge.models.low_rank import LowRankUpdate
from rsforge.models.pretrained.adapter_names import Part, index_layers, peft_name
from rsforge.models.pretrained.read_adapter import FILES
from rsforge.models.pretrained.write_tensors import write_safetensors

PEFT_FILE = FILES[0]
KOHYA_FILE = "kohya_lora_weights.safetensors"

Adapters = Mapping[Part, Mapping[str, LowRankUpdate]]


def write_peft(path: Path, parts: Adapters) -> None:
    """Write the file that ``StableDiffusionPipeline.load_lora_weights`` and peft read.

    Older versions of both know no alpha and take a factor of 1: it is multiplied into the second matrix.
    """
    tensors: dict[str, Tensor] = {}
    for part, updates in parts.items():
        for layer, update in updates.items():
            name = peft_name(part, layer)
            tensors[f"{name}.lora_A.weight"] = update.down
            tensors[f"{name}.lora_B.weight"] = update.up * (update.alpha / update.rank)
    write_safetensors(path, tensors)


def write_kohya(path: Path, parts: Adapters) -> None:
    """Write the file that kohya's programs and the tools around them read."""
    tensors: dict[str, Tensor] = {}
    for part, updates in parts.items():
        for name, layer in index_layers(part, updates).items():
            update = updates[layer]
            tensors[f"{name}.lora_down.weight"] = update.down
            tensors[f"{name}.lora_up.weight"] = update.up
            tensors[f"{name}.alpha"] = torch.tensor(update.alpha)
    write_safetensors(path, tensors)
