"""A network as a torch.export program of any batch, and of any sides where torch can say so."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import nn
from torch.export import Dim, ExportedProgram
from torch.fx.experimental import _config as capturing

from rsforge.errors import RsforgeError


@dataclass(frozen=True)
class ExportedNetwork:
    """A frozen network on the CPU, of images ``(B, channels, H, W)`` float32 in [-1, 1].

    ``side`` is that of its training, sides are multiples of ``factor``; ``names`` are those of input and output in
    the files, ``card`` what their headers say.
    """

    network: nn.Module
    channels: int
    side: int
    factor: int
    names: tuple[str, str]
    card: Mapping[str, str]

    @property
    def bytes_of_weights(self) -> int:
        return sum(t.numel() * t.element_size() for t in self.network.state_dict().values())


class CapturedProgram(NamedTuple):
    """The network as a program of any batch; ``free`` when of any sides too, else of those of the training."""

    program: ExportedProgram
    shapes: dict[int, Any]
    free: bool


def export_error(what: str, found: str) -> RsforgeError:
    """The error for a network that a format cannot hold as it is."""
    fix = "leave the format out of --formats, or install the versions of constraints.txt"
    return RsforgeError("RSF-E010", what, where="--formats", found=found, kept="nothing was written", fix=fix)


@contextmanager
def silence_torch() -> Iterator[None]:
    """Without what torch and onnx tell of themselves: what they write is run before it is kept."""
    before = logging.root.manager.disable
    logging.disable(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)


def capture(subject: ExportedNetwork) -> CapturedProgram:
    """The network as a program, without the source paths that torch notes in it."""
    with silence_torch():
        captured = _try_capture(subject, free=True) or _try_capture(subject, free=False)
    if captured is None:
        raise export_error(
            "torch.export cannot hold the network", "a program that takes no other batch than its example"
        )
    captured.program.example_inputs = None
    for node in captured.program.graph.nodes:
        node.meta.pop("stack_trace", None)
    return captured


def _try_capture(subject: ExportedNetwork, *, free: bool) -> CapturedProgram | None:
    """None where torch.export fixes a size that is to be free."""
    shapes: dict[int, Any] = {0: Dim("batch", min=1)}
    sides = (subject.side, subject.side)
    if free:
        shapes |= {2: subject.factor * Dim("rows", min=1), 3: subject.factor * Dim("cols", min=1)}
        sides = (2 * subject.factor, 3 * subject.factor)
    example = torch.zeros(2, subject.channels, *sides)
    # Else images that the network brings down to one pixel would be a case apart; torch.onnx sets it as well.
    with capturing.patch(backed_size_oblivious=free):  # type: ignore[attr-defined]
        try:
            program = torch.export.export(subject.network, (example,), dynamic_shapes=(shapes,))
            program.module()(torch.zeros(1, subject.channels, subject.side, subject.side))
        except (AssertionError, RuntimeError, ValueError):
            return None
    return CapturedProgram(program, shapes, free)
