"""Weights written as safetensors, without a second copy of them in memory."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path

import safetensors
import safetensors.torch
from torch import Tensor

from rsforge import durable

_SYSTEM_ERROR = re.compile(r"os error (\d+)")


def write_safetensors(path: Path, tensors: Mapping[str, Tensor]) -> None:
    """Write ``tensors`` under the name ``path``, whole or not at all; an ``OSError`` of the disk as itself."""
    plain = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    with durable.atomic_path(path) as temporary:
        durable.before_operation("write")
        try:
            safetensors.torch.save_file(plain, temporary, {"format": "pt"})
        except safetensors.SafetensorError as error:  # the library puts the system's errors into its own words
            if found := _SYSTEM_ERROR.search(str(error)):
                raise OSError(int(found[1]), os.strerror(int(found[1])), str(path)) from error
            raise
