"""A network as a torch.export program for any batch, and for images of any size where torch can express that."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import torch
from torch.export import Dim, ExportedProgram
from torch.fx.experimental import _config as capturing

from rsforge.errors import RsforgeError
from rsforge.recipes.export.network import ExportedNetwork


class CapturedProgram(NamedTuple):
    """The network as a program for any batch, of images of ``any_size`` or only of those of the training.

    ``shapes`` are the dimensions left open, of every input.
    """

    program: ExportedProgram
    shapes: tuple[dict[int, Any], ...]
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
    batch, factor, generator = Dim("batch", min=1), subject.factor, torch.Generator().manual_seed(0)
    shapes = tuple(one.free_dimensions(batch, factor, any_size=any_size) for one in subject.inputs)
    trained = (subject.size, subject.size)
    example = subject.draw_inputs(2, (2 * factor, 3 * factor) if any_size else trained, generator)
    # Without this, images that the network reduces to one pixel would be a special case; torch.onnx sets it as well.
    with capturing.patch(backed_size_oblivious=any_size):  # type: ignore[attr-defined]
        try:
            program = torch.export.export(subject.network, example, dynamic_shapes=shapes)
            program.module()(*subject.draw_inputs(1, trained, generator))
        except (AssertionError, RuntimeError, ValueError):
            return None
    return CapturedProgram(program, shapes, any_size)
