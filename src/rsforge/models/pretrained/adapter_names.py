"""Names of low-rank updates in files of diffusers, peft and kohya's programs, and the layers of ours that they mean."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Literal, NamedTuple

from rsforge.models.text_encoder import FORMER_PREFIX

Part = Literal["unet", "text_encoder"]
Role = Literal["down", "up", "alpha"]
UNET: Part = "unet"
TEXT: Part = "text_encoder"
PARTS: tuple[Part, ...] = (UNET, TEXT)
PREFIXES: dict[str, Part] = {"unet.": UNET, "text_encoder.": TEXT, "base_model.model.": UNET}
KOHYA: dict[Part, str] = {UNET: "lora_unet_", TEXT: "lora_te_"}
"""How names of kohya's programs begin; behind it is the name of the layer with underscores for dots."""
KOHYA_TEXT = FORMER_PREFIX.replace(".", "_")

# Of peft and of diffusers from 0.22 on, of diffusers before that, and for its text encoders.
_ROLES: tuple[tuple[re.Pattern[str], dict[str, Role]], ...] = (
    (re.compile(r"(.+)\.lora_([AB])(?:\.default)?\.weight"), {"A": "down", "B": "up"}),
    (re.compile(r"(.+)\.lora\.(down|up)\.weight"), {"down": "down", "up": "up"}),
    (re.compile(r"(.+)\.lora_linear_layer\.(down|up)\.weight"), {"down": "down", "up": "up"}),
    (re.compile(r"(.+_lora)\.(down|up)\.weight"), {"down": "down", "up": "up"}),
    (re.compile(r"(.+)\.(alpha)"), {"alpha": "alpha"}),
)
_KOHYA_ROLES: dict[str, Role] = {"lora_down.weight": "down", "lora_up.weight": "up", "alpha": "alpha"}
# The projections of attention in the text tower as diffusers called them once.
_TEXT_LAYERS = {"to_q": "q_proj", "to_k": "k_proj", "to_v": "v_proj", "to_out.0": "out_proj", "to_out": "out_proj"}


class Place(NamedTuple):
    """What a tensor of a file is: the ``role`` it has in the update of the ``layer`` of a ``part``."""

    part: Part
    layer: str
    role: Role


def index_layers(part: Part, layers: Iterable[str]) -> dict[str, str]:
    """The names of ``layers`` of a part by the names that kohya's programs give them."""
    text = KOHYA_TEXT if part == TEXT else ""
    return {f"{KOHYA[part]}{text}{layer.replace('.', '_')}": layer for layer in layers}


def find_place(name: str, kohya: dict[str, tuple[Part, str]]) -> Place | None:
    """What the tensor ``name`` is, its layer by our name; None for a name that is none of a low-rank update.

    ``kohya`` are part and layer by the names of kohya's programs; layers that are not there keep those names.
    """
    head, _, role = name.partition(".")
    if head.startswith(tuple(KOHYA.values())) and role in _KOHYA_ROLES:
        part, layer = kohya.get(head, (UNET if head.startswith(KOHYA[UNET]) else TEXT, head))
        return Place(part, layer, _KOHYA_ROLES[role])
    for pattern, roles in _ROLES:
        if found := pattern.fullmatch(name):
            return Place(*_split_part(found[1]), roles[found[2]])
    return None


def _split_part(name: str) -> tuple[Part, str]:
    """The part and the layer of a name of diffusers or peft; one without a part means the U-Net."""
    prefix = next((prefix for prefix in PREFIXES if name.startswith(prefix)), "")
    part, layer = PREFIXES.get(prefix, UNET), name.removeprefix(prefix)
    layer = re.sub(r"(?:\.processor)?\.(to_[qkv]|to_out)_lora$", r".\1", layer)
    if part == UNET:
        return part, re.sub(r"\.to_out$", ".to_out.0", layer)
    head, _, last = layer.removeprefix(FORMER_PREFIX).partition(".self_attn.")
    return part, f"{head}.self_attn.{_TEXT_LAYERS.get(last, last)}" if last else head


def peft_name(part: Part, layer: str) -> str:
    """The name of a layer in a file of diffusers, without the role."""
    return f"{part}.{FORMER_PREFIX if part == TEXT else ''}{layer}"
