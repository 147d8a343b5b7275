"""What the source documents' settings files call our options: their sections, and keys that need a transform."""

from __future__ import annotations

from typing import Any

from rsforge.settings.file_keys import FileKey, adam_betas, number, rest_of_one

# Their `training` holds what stands in several of our sections; their `data` also says how data are read.
SECTIONS = {"training": ("run", "loop", "optim", "average", "stopping"), "data": ("run",)}

ADAM = (FileKey("betas", ("beta1", "beta2"), adam_betas), FileKey("adam_epsilon", ("eps",)))
DIVISION = (FileKey("val_fraction", ("train_split",), rest_of_one),)
MIRRORING = (FileKey("flip", ("augmentation.horizontal_flip",)),)


def one_strength(brightness: Any = 0.0, contrast: Any = 0.0, saturation: Any = 0.0) -> float:
    """The strength of --jitter, where all three changes of colour have the same."""
    strengths = {number(value) for value in (brightness, contrast, saturation)}
    if len(strengths) > 1:
        raise ValueError("must be equal for brightness, contrast and saturation: --jitter is one strength for them")
    return strengths.pop()


_COLOURS = ("brightness", "contrast", "saturation")
JITTER = (FileKey("jitter", tuple(f"augmentation.color_jitter.{name}" for name in _COLOURS), one_strength),)
