"""A network as a torch.export program for any batch, and for images of any size where torch can express that."""

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
    """A frozen network on the CPU for images ``(B, channels, H, W)``, float32 in [-1, 1].

    ``size`` is the height and width of training images; other sizes are multiples of ``factor``. ``names`` are those of
    input and output in the files, ``card`` is the metadata of their headers.
    """

    network: nn.Module
    channels: int
    size: int
    factor: int
    names: tuple[str, str]
    card: Mapping[str, str]

    @property
    def bytes_of_weights(self) -> int:
        return sum(t.numel() * t.element_size() for t in self.network.state_dict().values())


class CapturedProgram(NamedTuple):
    """The network as a program for any batch, of images of ``any_size`` or only of those of the training."""

    program: ExportedProgram
    shapes: dict[int, Any]
    any_size: bool


def export_error(what: str, found: str) -> RsforgeError:
    """RSF-E010 for a network that a format cannot represent."""
    fix = "leave the format out of --formats, or install the versions of constraints.txt"
    return RsforgeError("RSF-E010", what, where="--formats", found=found, kept="nothing was written", fix=fix)


@contextmanager
def silence_torch() -> Iterator[None]:
    """Suppress warnings and log messages of torch and onnx: every exported file is run and compared anyway."""
    before = logging.root.manager.disable
    logging.disable(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)


def capture(subject: ExportedNetwork) -> CapturedProgram:
    """The network as a program, without the source paths that torch records in it."""
    with silence_torch():
        captured = _try_capture(subject, any_size=True) or _try_capture(subject, any_size=False)
    if captured is None:
        raise export_error(
            "torch.export cannot hold the network", "a program that takes no other batch than its example"
        )
    captured.program.example_inputs = None
    for node in captured.program.graph.nodes:
        node.meta.pop("stack_trace", None)
    return captured


def _try_capture(subject: ExportedNetwork, *, any_size: bool) -> CapturedProgram | None:
    """The program, or None where torch.export would fix a dimension that is to be dynamic."""
    shapes: dict[int, Any] = {0: Dim("batch", min=1)}
    height = width = subject.size
    if any_size:
        shapes |= {2: subject.factor * Dim("rows", min=1), 3: subject.factor * Dim("cols", min=1)}
        height, width = 2 * subject.factor, 3 * subject.factor
    example = torch.zeros(2, subject.channels, height, width)
    # Without this, images that the network reduces to one pixel would be a special case; torch.onnx sets it as well.
    with capturing.patch(backed_size_oblivious=any_size):  # type: ignore[attr-defined]
        try:
            program = torch.export.export(subject.network, (example,), dynamic_shapes=(shapes,))
            program.module()(torch.zeros(1, subject.channels, subject.size, subject.size))
        except (AssertionError, RuntimeError, ValueError):
            return None
    return CapturedProgram(program, shapes, any_size)
