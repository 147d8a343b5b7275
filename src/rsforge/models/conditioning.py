"""The conditioning of a denoiser beside ``x_t`` and ``t``: its inputs, their order, and what replaces a missing one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

import torch
from torch import Tensor

from rsforge.errors import RsforgeError

Kind = Literal["context", "condition", "vector"]
Values = Mapping[str, Tensor]


def zero() -> Tensor:
    """The null input that fits every shape."""
    return torch.zeros(())


@dataclass(frozen=True, eq=False)
class ConditionInput:
    """One input: its ``name`` in batches, how the network takes it, and how often training leaves it out.

    ``context`` is tokens ``(B, M, width)`` for cross-attention, which a mask ``(B, M)`` may come with under
    ``name_mask``, True for tokens that count; ``condition`` is ``(B, K, H, W)``, concatenated to ``x_t``; ``vector``
    is ``(B, D)``, added to the time embedding. ``null`` stands for one sample's absent input and broadcasts to it;
    ``null_mask`` ``(M,)`` is its mask, else all its tokens count. ``ValueError`` for another kind or rate.
    """

    name: str
    kind: Kind
    dropout: float = 0.0
    null: Tensor = field(default_factory=zero)
    null_mask: Tensor | None = None

    def __post_init__(self) -> None:
        if self.kind not in get_args(Kind):
            raise ValueError(
                f"input {self.name!r} is of unknown kind {self.kind!r}; known are {', '.join(get_args(Kind))}"
            )
        if not 0 <= self.dropout <= 1:
            raise ValueError(f"the dropout rate of {self.name!r} must be 0 to 1, not {self.dropout}")

    @property
    def mask_name(self) -> str:
        return f"{self.name}_mask"

    def null_like(self, values: Values) -> dict[str, Tensor]:
        """The null input, and its mask where there is one, in the shapes of ``values``."""
        x = values[self.name]
        absent = {self.name: self.null.to(x).expand_as(x)}
        if self.mask_name in values:
            mask = values[self.mask_name]
            null = torch.ones((), dtype=torch.bool) if self.null_mask is None else self.null_mask
            absent[self.mask_name] = null.to(mask).expand_as(mask)
        return absent


@dataclass(frozen=True)
class Conditioning:
    """The inputs of a denoiser in their order; without any it is the null object of unconditional models.

    Inputs of one kind are joined in this order: conditions behind ``x_t`` and one another along the channels,
    contexts along the tokens, vectors along their numbers.
    """

    inputs: tuple[ConditionInput, ...] = ()

    def select(self, batch: Mapping[str, Any]) -> dict[str, Tensor]:
        """The inputs that ``batch`` holds by their names, with their masks; ``ValueError`` where one is missing."""
        missing = [item.name for item in self.inputs if item.name not in batch]
        if missing:
            raise ValueError(f"the batch lacks {', '.join(missing)}; it holds {', '.join(batch)}")
        names = [name for item in self.inputs for name in (item.name, item.mask_name) if name in batch]
        return {name: batch[name] for name in names}

    def drop(self, values: Values) -> dict[str, Tensor]:
        """``values`` with each input of each sample replaced by its null at its own rate, by the global random state.

        Nothing is drawn for inputs that are never left out. Ho & Salimans 2022 (arXiv 2207.12598), Alg. 1.
        """
        kept = dict(values)
        for item in self.inputs:
            if item.dropout:
                x = values[item.name]
                absent = torch.rand(len(x), device=x.device) < item.dropout
                for name, null in item.null_like(values).items():
                    kept[name] = torch.where(absent.view(-1, *[1] * (null.ndim - 1)), null, values[name])
        return kept

    def with_null(self, values: Values, names: Iterable[str] | None = None) -> dict[str, Tensor]:
        """``values`` with the null in place of the inputs ``names``, or of all that training left out at times."""
        absent = dict(values)
        for item in self._left_out(names):
            absent |= item.null_like(values)
        return absent

    def check_guidance(self, guidance_scale: float, names: Iterable[str] | None = None) -> None:
        """RSF-U005 where guidance would compare with an input that the network never saw left out."""
        left_out = self._left_out(names)
        never = [item.name for item in left_out if not item.dropout]
        if guidance_scale == 1 or (left_out and not never):
            return
        raise RsforgeError(
            "RSF-U005",
            "guidance needs a model that was trained without its condition at times",
            where="--guidance-scale",
            found=f"dropout rate 0 of {', '.join(never)}" if never else "no input that training left out",
            fix="use --guidance-scale 1, or train with a dropout rate such as 0.1",
        )

    def _left_out(self, names: Iterable[str] | None) -> list[ConditionInput]:
        if names is None:
            return [item for item in self.inputs if item.dropout]
        wanted = set(names)
        if unknown := wanted - {item.name for item in self.inputs}:
            raise ValueError(f"no input {', '.join(sorted(unknown))}; known are {[item.name for item in self.inputs]}")
        return [item for item in self.inputs if item.name in wanted]

    def as_arguments(self, values: Values) -> dict[str, Tensor]:
        """``values`` as a denoiser's keyword arguments: ``context``, ``context_mask``, ``condition``, ``vector``."""
        joined = {}
        for kind, axis in (("context", 1), ("condition", 1), ("vector", -1)):
            parts = [values[item.name] for item in self.inputs if item.kind == kind]
            if parts:
                joined[kind] = torch.cat(parts, dim=axis) if len(parts) > 1 else parts[0]
        masks = self._masks(values)
        if masks:
            joined["context_mask"] = torch.cat(masks, dim=1)
        return joined

    def _masks(self, values: Values) -> list[Tensor]:
        """One mask for every context where any has one: tokens without a mask all count."""
        contexts = [item for item in self.inputs if item.kind == "context"]
        if not any(item.mask_name in values for item in contexts):
            return []
        whole = {i.name: values[i.name].new_ones(values[i.name].shape[:2], dtype=torch.bool) for i in contexts}
        return [values.get(item.mask_name, whole[item.name]).bool() for item in contexts]

    def as_dict(self) -> dict[str, Any]:
        """What a checkpoint keeps, in plain numbers, strings, lists and tensors."""
        return {
            "inputs": [
                {
                    "name": item.name,
                    "kind": item.kind,
                    "dropout": item.dropout,
                    "null": item.null.detach().cpu(),
                    "null_mask": None if item.null_mask is None else item.null_mask.cpu(),
                }
                for item in self.inputs
            ]
        }

    @classmethod
    def from_dict(cls, section: Mapping[str, Any]) -> Conditioning:
        """The conditioning of a checkpoint, of which former ones have none; RSF-C007 for what is not understood."""
        try:
            return cls(tuple(ConditionInput(**item) for item in section.get("inputs", ())))
        except (TypeError, ValueError) as error:
            raise RsforgeError(
                "RSF-C007", "the conditioning of this checkpoint cannot be used", where="conditioning", found=str(error)
            ) from error


UNCONDITIONAL = Conditioning()
