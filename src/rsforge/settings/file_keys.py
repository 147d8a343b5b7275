"""Keys of other programs' settings files: which option they mean, and how their values become its value."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any


def identity(**given: Any) -> Any:
    """The value of the one key that is given."""
    (value,) = given.values()
    return value


@dataclass(frozen=True)
class FileKey:
    """``keys`` of a settings file that together say what the option of flat name ``option`` says.

    ``value`` gets the keys that are given, by the last part of their names; its own defaults stand for the others,
    and a ValueError refuses them. A key without a dot may also stand in any section that may hold the option.
    """

    option: str
    keys: tuple[str, ...]
    value: Callable[..., Any] = identity


@dataclass(frozen=True)
class FixedKey:
    """A key that no option sets: taken where it says one of ``values``, which hold anyway, else refused."""

    key: str
    values: tuple[Any, ...]
    reason: str


def read_number(value: Any) -> float:
    """``value``, or the number that a text spells."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise ValueError("must be a number")
    try:
        return float(value) if isinstance(value, str) else value
    except ValueError:
        raise ValueError("must be a number") from None


def read_numbers(value: Any) -> list[float]:
    """The numbers of a list, or of a text with commas."""
    if isinstance(value, str):
        value = value.split(",")
    if not isinstance(value, Sequence):
        raise ValueError("must be a list of numbers")
    return [read_number(item) for item in value]


def held_out_share(train_split: Any) -> float:
    """The share held out, from the share to train on; ``ValueError`` unless that is above 0 and at most 1."""
    if not 0 < read_number(train_split) <= 1:
        raise ValueError("must be above 0 and at most 1: the share of images to train on")
    # 1 - 0.8 is 0.19999999999999996 in floating point.
    return round(1 - read_number(train_split), 12)


def adam_betas(beta1: Any = 0.9, beta2: Any = 0.999) -> tuple[float, float]:
    """Both decays of Adam's moments, from one key each."""
    return read_number(beta1), read_number(beta2)


def level_widths(model_channels: Any = 320, channel_mult: Any = (1, 2, 4, 4)) -> tuple[float, ...]:
    """The width of each level, from the first one's and their multiples."""
    return tuple(read_number(model_channels) * factor for factor in read_numbers(channel_mult))
