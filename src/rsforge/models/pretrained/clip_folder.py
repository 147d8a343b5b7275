"""The adapter of folders in which ``transformers`` keeps a ``CLIPModel``: both towers, and how images enter them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import torch
import torch.nn.functional as F
from torch import Tensor

from rsforge.errors import RsforgeError
from rsforge.models.clip_blocks import ACTIVATIONS
from rsforge.models.clip_vision import ClipVision
from rsforge.models.image_encoder import ContrastiveHead
from rsforge.models.pretrained import text_config
from rsforge.models.pretrained.fill import Piece, Places, build_filled
from rsforge.models.pretrained.folder_files import TRANSFORMERS, open_part
from rsforge.models.pretrained.json_files import Neutral, check_keys, read_object
from rsforge.models.pretrained.tensor_files import TensorFile
from rsforge.models.text_encoder import FORMER_PREFIX, TextEncoder

CONFIG, PREPROCESSOR = "config.json", "preprocessor_config.json"
KIND, VISION_KIND, VISION_PREFIX = "clip", "clip_vision_model", "vision_model."
TOWERS = (FORMER_PREFIX, VISION_PREFIX)
# Their name, ours, and what transformers takes where a configuration lacks it.
VISION: dict[str, tuple[str, Any]] = {
    "image_size": ("image_size", 224),
    "patch_size": ("patch_size", 32),
    "hidden_size": ("width", 768),
    "num_attention_heads": ("num_heads", 12),
    "num_hidden_layers": ("num_layers", 12),
    "hidden_act": ("hidden_act", "quick_gelu"),
    "intermediate_size": ("intermediate_size", 3072),
    "num_channels": ("num_channels", 3),
}
NEUTRAL: Neutral = {
    "model_type": (VISION_KIND,),
    "layer_norm_eps": (1e-5,),
    "attention_dropout": (0, 0.0),
    "hidden_act": tuple(ACTIVATIONS),
    "num_channels": (3,),
}
# What CLIP was trained with: the mean and the deviation of red, green and blue in [0, 1].
MEAN, STD = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)
BICUBIC = 3
STEPS: Neutral = dict.fromkeys(("do_resize", "do_center_crop", "do_rescale", "do_normalize"), (True,)) | {
    "resample": (BICUBIC,)
}


@dataclass(frozen=True)
class ClipModel:
    """Both towers, their projections, and how images are made ready; ``side`` is what they are scaled to."""

    text: TextEncoder
    vision: ClipVision
    head: ContrastiveHead
    side: int
    mean: tuple[float, ...] = MEAN
    std: tuple[float, ...] = STD

    def to(self, device: torch.device) -> ClipModel:
        """This model, its networks moved to ``device``."""
        for network in (self.text, self.vision, self.head):
            network.to(device)
        return self

    def prepare(self, images: Tensor) -> Tensor:
        """Square images ``(B, 3, H, H)`` in [-1, 1] as the image tower takes them: scaled, cropped and normalised."""
        x = (images.float() + 1) / 2
        if x.shape[-1] != self.side:
            x = F.interpolate(x, (self.side, self.side), mode="bicubic", antialias=True).clamp(0, 1)
        crop = self.vision.image_size
        edge = (self.side - crop) // 2
        x = x[..., edge : edge + crop, edge : edge + crop]
        mean, std = (torch.tensor(values, device=x.device).view(1, 3, 1, 1) for values in (self.mean, self.std))
        return (x - mean) / std

    @torch.no_grad()
    def embed_images(self, images: Tensor) -> Tensor:
        """Unit vectors ``(B, D)`` of square images ``(B, 3, H, H)`` in [-1, 1]."""
        return self.head.embed_images(self.vision(self.prepare(images)))

    @torch.no_grad()
    def embed_texts(self, tokens: Tensor, end: int) -> Tensor:
        """Unit vectors ``(B, D)`` of token ids ``(B, N)``: those at the first token ``end`` of each text."""
        context = self.text(tokens)
        last = (tokens == end).int().argmax(1)
        return self.head.embed_texts(context[torch.arange(len(context), device=context.device), last])


def read_clip(folder: Path, *, allow_pickle: bool = False) -> ClipModel:
    """The model of a folder.

    RSF-C004 for another kind of model and for keys that change results and are not done here; RSF-C001 to RSF-C003 and
    RSF-C007 for what is missing, damaged, pickled and misshapen.
    """
    config, where = read_object(folder / CONFIG), str(folder / CONFIG)
    if config.get("model_type") != KIND:
        what = f"a model of the type {config.get('model_type')} is no CLIP"
        raise RsforgeError("RSF-C004", what, where=where, fix="name the folder of a CLIPModel of transformers")
    text = text_config.read_text(choose_text(config), where=where)
    vision = read_vision(_section(config, "vision_config"), where=where)
    head = {"name": "contrastive_head", "text_width": text["embedding_dim"], "image_width": vision["width"]}
    head["width"] = config.get("projection_dim", 512)
    file = open_part(folder, TRANSFORMERS, allow_pickle=allow_pickle)
    side, mean, std = read_preparation(folder, vision["image_size"])
    return ClipModel(
        cast(TextEncoder, _fill(text, file, FORMER_PREFIX)),
        cast(ClipVision, _fill(vision, file, VISION_PREFIX)),
        cast(ContrastiveHead, build_filled(head, file, unused=_is_of_tower)),
        side, mean, std,
    )  # fmt: skip


def choose_text(config: Mapping[str, Any]) -> dict[str, Any]:
    """What the configuration of a folder says of the text tower."""
    return {"model_type": text_config.KIND} | _section(config, "text_config")


def _section(config: Mapping[str, Any], name: str) -> dict[str, Any]:
    """A part of the configuration; what stands in its former place goes over it, as in transformers."""
    parts = (config.get(name), config.get(f"{name}_dict"))
    return {key: value for part in parts if isinstance(part, dict) for key, value in part.items()}


def read_vision(config: Mapping[str, Any], *, where: str) -> dict[str, Any]:
    """The architecture of the image tower; RSF-C004 for another one."""
    check_keys({key: value for key, value in config.items() if key in NEUTRAL}, (), NEUTRAL, where=where)
    return {"name": "clip_vision"} | {ours: config.get(theirs, value) for theirs, (ours, value) in VISION.items()}


def read_preparation(folder: Path, image_size: int) -> tuple[int, tuple[float, ...], tuple[float, ...]]:
    """The side that images are scaled to, and the mean and deviation of their colours; CLIP's own where none is said.

    RSF-C003 for sizes and colours that are none.
    """
    path = folder / PREPROCESSOR
    if not path.is_file():
        return image_size, MEAN, STD
    config = read_object(path)
    check_keys({key: value for key, value in config.items() if key in STEPS}, (), STEPS, where=str(path))
    side = config.get("size", image_size)
    side = side.get("shortest_edge", side.get("height")) if isinstance(side, dict) else side
    colours = [config.get("image_mean", MEAN), config.get("image_std", STD)]
    if not isinstance(side, int) or not image_size <= side <= 4096 or not all(map(_is_colour, colours)):
        what, found = "images cannot be made ready as this file says", f"size {side}, colours {colours}"
        raise RsforgeError("RSF-C003", what, where=str(path), found=found[:160])
    mean, std = (tuple(float(value) for value in one) for one in colours)
    return side, mean, std


def _is_colour(values: Any) -> bool:
    numbers = isinstance(values, list | tuple) and len(values) == 3 and all(isinstance(v, int | float) for v in values)
    return numbers and all(0 < v < 10 for v in values)


def _fill(architecture: Mapping[str, Any], file: TensorFile, prefix: str) -> torch.nn.Module:
    places: Places = lambda own: [Piece(f"{prefix}{own}")]  # noqa: E731
    return build_filled(architecture, file, places, scope=prefix, unused=lambda name: name.endswith("position_ids"))


def _is_of_tower(name: str) -> bool:
    return name.startswith(TOWERS)
