"""Weights of a file put into a network that was built without memory."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from rsforge.errors import RsforgeError
from rsforge.models.catalogue import build
from rsforge.models.pretrained.tensor_files import TensorFile

SHOWN = 3
PARTS = 3
"""What one joined matrix of queries, keys and values holds."""


@dataclass(frozen=True)
class Piece:
    """A tensor of a file by its name, or the ``part`` of its first axis, 0 to 2, that is one of three joined layers."""

    name: str
    part: int | None = None


Places = Callable[[str], Iterable[Piece]]
"""From a name of ours to where its weights may be in a file, the first that is there."""


def same_name(own: str) -> list[Piece]:
    """The place of weights in a file that has our names."""
    return [Piece(own)]


def build_filled(
    architecture: Mapping[str, Any],
    file: TensorFile,
    places: Places = same_name,
    *,
    scope: str = "",
    unused: Callable[[str], bool] = lambda name: False,
    dtype: torch.dtype = torch.float32,
) -> nn.Module:
    """The network of ``architecture`` with the weights of ``file`` as ``dtype``, each copied once; in eval mode.

    Names in the file that begin with ``scope`` must all be used but those that are ``unused``. RSF-C007 for missing,
    further and misshapen weights, RSF-C002 for weights that are not finite.
    """
    with torch.device("meta"):
        network = build(architecture)
    found: dict[str, Tensor] = {}
    missing, misshapen, used = [], [], set()
    for own, parameter in network.state_dict().items():
        piece = next((piece for piece in places(own) if piece.name in file.shapes), None)
        if piece is None:
            missing.append(own)
            continue
        used.add(piece.name)
        if not _fits(piece, file.shapes[piece.name], tuple(parameter.shape)):
            misshapen.append(f"{piece.name} {list(file.shapes[piece.name])} for {list(parameter.shape)}")
        elif not missing and not misshapen:
            found[own] = _read(file, piece, parameter.shape, dtype)
    further = [name for name in file.shapes if name.startswith(scope) and name not in used and not unused(name)]
    _refuse(file.where, str(architecture["name"]), {"missing": missing, "misshapen": misshapen, "unknown": further})
    network.load_state_dict(found, assign=True)
    return network.eval()


def _fits(piece: Piece, shape: tuple[int, ...], needed: tuple[int, ...]) -> bool:
    if piece.part is not None:
        return shape == (PARTS * needed[0], *needed[1:])
    return _without_ones(shape) == _without_ones(needed)


def _without_ones(shape: tuple[int, ...]) -> tuple[int, ...]:
    """A 1×1 convolution and a matrix hold the same numbers."""
    return shape[:2] if len(shape) == 4 and shape[2:] == (1, 1) else shape


def _read(file: TensorFile, piece: Piece, shape: torch.Size, dtype: torch.dtype) -> Tensor:
    tensor = file.read(piece.name)
    if piece.part is not None:
        tensor = tensor.chunk(PARTS)[piece.part]
    if not tensor.is_floating_point():
        raise whole_numbers_error(file.where, piece.name, tensor)
    copied = tensor.reshape(shape).to(dtype, copy=True).contiguous()
    if not copied.isfinite().all():
        what = "weights are not finite"
        raise RsforgeError("RSF-C002", what, where=file.where, found=piece.name, fix="get the file again")
    return copied


def whole_numbers_error(where: str, name: str, tensor: Tensor) -> RsforgeError:
    """RSF-C007 for the tensor ``name``, which holds no floating-point numbers."""
    what = "weights are whole numbers, as quantised models have them"
    return RsforgeError("RSF-C007", what, where=where, found=f"{name} {tensor.dtype}")


def _refuse(where: str, network: str, faults: Mapping[str, Collection[str]]) -> None:
    parts = [f"{len(names)} {kind}: {', '.join(list(names)[:SHOWN])}" for kind, names in faults.items() if names]
    if parts:
        what = f"the weights do not fit the {network} that this model describes"
        raise RsforgeError("RSF-C007", what, where=where, found="; ".join(parts))
