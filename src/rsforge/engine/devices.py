"""From a device's name to a device that is there."""

from __future__ import annotations

import torch

from rsforge.errors import RsforgeError
from rsforge.wording import count_noun


def choose(wanted: str, *, deterministic: bool = False) -> torch.device:
    """The device for ``auto``, ``cpu``, ``mps``, ``cuda`` or ``cuda:N``; RSF-E005 when it is missing.

    On CUDA, cuDNN picks its fastest kernels by trial unless ``deterministic``.
    """
    device = torch.device(_automatic() if wanted == "auto" else wanted)
    missing = (device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count()) or (
        device.type == "mps" and not torch.backends.mps.is_available()
    )
    if missing:
        usable = dict.fromkeys((_automatic(), "cpu"))
        raise RsforgeError("RSF-E005", f"there is no device {wanted}", found=f"usable here: {', '.join(usable)}")
    if device.type == "cuda":
        torch.cuda.set_device(device)
        torch.backends.cudnn.benchmark = not deterministic
    if deterministic:
        torch.use_deterministic_algorithms(True, warn_only=True)
    return device


def seed_draws(seed: int, device: torch.device) -> None:
    """Seed what is drawn on the CPU and on ``device``.

    torch.manual_seed notes the call stack for each kind of accelerator that is not there: up to a millisecond a step.
    """
    if device.type == "cpu":
        torch.default_generator.manual_seed(seed)
    else:
        torch.manual_seed(seed)


def describe(device: torch.device) -> str:
    """One line for the user: the device, its memory, torch's version."""
    if device.type == "cuda":
        card = torch.cuda.get_device_properties(device)
        return f"{card.name}, {card.total_memory / 2**30:.0f} GiB, torch {torch.__version__}"
    return f"{device.type}, {count_noun(torch.get_num_threads(), 'thread')}, torch {torch.__version__}"


def _automatic() -> str:
    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"
