"""The head of a checkpoint: the types and bounds of the entries that commands read."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from torch import Tensor

Check = Callable[[Any], str]
"""What is wrong with a value, in words that follow its name; empty where nothing is."""

MOST_COUNT = 1 << 40
MOST_SIZE = 1 << 16
MOST_STEPS = 100_000


def integer(low: int, high: int) -> Check:
    """A check for a whole number from ``low`` to ``high``."""

    def check(value: Any) -> str:
        whole = isinstance(value, int) and not isinstance(value, bool)
        return "" if whole and low <= value <= high else f"must be a whole number from {low} to {high}"

    return check


def text(value: Any) -> str:
    """A check for a string."""
    return "" if isinstance(value, str) else "must be a text"


def flag(value: Any) -> str:
    """A check for a truth value."""
    return "" if isinstance(value, bool) else "must be true or false"


def number(value: Any) -> str:
    """A check for a number; infinity stands for a best that there is not yet."""
    plain = isinstance(value, (int, float)) and not isinstance(value, bool)
    return "" if plain else "must be a number"


def finite(value: Any) -> str:
    """A check for a finite number."""
    return number(value) or ("" if math.isfinite(value) else "must be finite")


def tensor(value: Any) -> str:
    """A check for a tensor of floating-point numbers."""
    return "" if isinstance(value, Tensor) and value.is_floating_point() else "must be a tensor of floats"


def weight(value: Any) -> str:
    """A check for any tensor."""
    return "" if isinstance(value, Tensor) else "must be a tensor"


def mapping(value: Any) -> str:
    """A check for a mapping of anything by name."""
    named = isinstance(value, Mapping) and all(isinstance(key, str) for key in value)
    return "" if named else "must be a table"


def table(value: Any) -> str:
    """A check for a mapping of anything by name or number."""
    return "" if isinstance(value, Mapping) else "must be a table"


def optional(check: Check) -> Check:
    """A check that lets None pass."""
    return lambda value: "" if value is None else check(value)


def list_of(check: Check, *, least: int = 0, most: int = 1 << 24) -> Check:
    """A check for a list of ``least`` to ``most`` items, each of which passes ``check``."""

    def check_list(value: Any) -> str:
        if not isinstance(value, (list, tuple)) or not least <= len(value) <= most:
            return f"must be a list of {least} to {most} entries"
        return next((f"has an entry that {reason}" for reason in map(check, value) if reason), "")

    return check_list


def mapping_of(check: Check) -> Check:
    """A check for a mapping by name, each value of which passes ``check``."""

    def check_values(value: Any) -> str:
        if reason := mapping(value):
            return reason
        found = ((name, check(entry)) for name, entry in value.items())
        return next((f"has {str(name)[:60]!r}, which {reason}" for name, reason in found if reason), "")

    return check_values


def fields(checks: Mapping[str, Check], *, closed: bool = False, whole: bool = False) -> Check:
    """A check for a mapping whose entries of these names pass their checks; no others where ``closed``.

    A mapping with any entries has all of them where ``whole``: the state of a part, which is empty when it was off.
    """

    def check_fields(value: Any) -> str:
        if reason := mapping(value):
            return reason
        unknown = [name for name in value if name not in checks] if closed else []
        if unknown:
            return f"has {unknown[0][:60]!r}, which nothing reads"
        missing = [name for name in checks if name not in value] if whole and value else []
        if missing:
            return f"lacks {missing[0]!r}"
        found = ((name, checks[name](value[name])) for name in checks if name in value)
        return next((f"has {name!r}, which {reason}" for name, reason in found if reason), "")

    return check_fields


def both(first: Check, second: Check) -> Check:
    """A check that asks two checks."""
    return lambda value: first(value) or second(value)


COUNT = integer(0, MOST_COUNT)
PARTNER = fields({"digest": text, "path": text})
HEAD: dict[str, Check] = {
    "format": integer(1, 1 << 31),
    "version": text,
    "kind": text,
    "architecture": mapping,
    "image_size": integer(1, MOST_SIZE),
    "sar_channels": integer(1, MOST_SIZE),
    "paired": flag,
    "scaled": flag,
    "trained": list_of(text),
    "given": list_of(text),
    "settings": mapping,
    "images": fields({"split": text, "train": COUNT, "held_out": COUNT}),
    "radiometry": fields({"unit": text, "low": finite, "high": finite}),
    "normalisation": fields({"low": finite, "high": finite}),
    "latent_shape": list_of(integer(1, MOST_SIZE), least=1, most=3),
    "latent_mean": tensor,
    "latent_std": tensor,
    "prediction": text,
    "schedule": fields({"kind": text, "timesteps": integer(1, MOST_STEPS), "zero_terminal_snr": flag}),
    "conditioning": mapping,
    "vocabulary": mapping_of(COUNT),
    "max_length": integer(1, MOST_SIZE),
    "prompt_template": text,
    "vae": PARTNER,
    "partners": mapping_of(PARTNER),
    "baselines": optional(mapping),
    "progress": fields(
        {
            "step": COUNT, "epoch": COUNT, "journal_lines": COUNT, "finished": text, "sums": mapping_of(number),
            "counted": COUNT, "shape": list_of(integer(1, MOST_COUNT), least=2, most=2), "closed": COUNT, "order": text,
            "skipped": COUNT,
        },
        closed=True,
    ),
    "nets": mapping_of(mapping_of(weight)),
    "parts": mapping_of(table),
}  # fmt: skip
DIGESTS = fields({"format": integer(1, 1 << 31), "digests": fields({"metadata": text, "tensors": mapping_of(text)})})
"""The check of what is read before the digests are compared."""
PARTS: dict[str, Check] = {
    "ema": fields({"updates": COUNT, "shadow": mapping_of(weight)}, whole=True),
    "best": both(
        fields({"figure": number, "epoch": integer(-1, MOST_COUNT)}, whole=True),
        fields({"step": COUNT, "comparable": flag}),
    ),
    "stopping": fields(
        {"best": number, "waited": COUNT, "recent": list_of(number), "rules": list_of(number)}, whole=True
    ),
    "own/latents": fields({"mean": tensor, "std": tensor}, whole=True),
    "rate": fields({"scale": number, "best": number, "waited": COUNT}, whole=True),
    "scaler": mapping_of(number),
}
SETTINGS: dict[str, Check] = {
    **dict.fromkeys(("data", "autoencoder", "denoiser", "gan", "loss", "optim", "average", "stopping"), mapping),
    "loop": fields({"epochs": COUNT, "max_train_steps": optional(COUNT)}),
    "run": fields({"output_dir": text, "seed": COUNT}),
}
"""The few settings that are read as they were stored; all others are validated as if somebody typed them."""


def find_mistyped(state: Mapping[str, Any]) -> str:
    """The first entry of a checkpoint whose type or range is none that a training writes; empty where none is.

    Entries that are not there are left to those who need them: checkpoints of before lack some.
    """
    return fields(HEAD)(state) or fields({"parts": fields(PARTS), "settings": fields(SETTINGS)})(state)
