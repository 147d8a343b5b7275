"""Weights of VGG16 that the user has: named, or left in torch's cache by other programs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import torch
from torch import nn

from rsforge.engine import checkpoint
from rsforge.engine.distributed import SingleProcess
from rsforge.errors import RsforgeError
from rsforge.models.published_weights import VGG16
from rsforge.models.vgg import VggFeatures, find_vgg16, load_vgg16
from rsforge.recipes.console import Console
from rsforge.recipes.training.decisions import Decision
from rsforge.recipes.training.job import Partner

Partners = dict[str, Partner]
N = TypeVar("N", bound=nn.Module)
OTHERWISE = "train with --no-perceptual"


def decide(given: Path | None, stored: str | None, world: SingleProcess, console: Console, *, what: str) -> Decision:
    """Whether ``what`` is trained with, where ``--perceptual`` is auto: if its weights are ``given`` or in the cache.

    A run that goes on keeps what it ``stored``. The first process decides for all. What is left out is warned of.
    """
    if stored in ("yes", "no"):
        return Decision(stored, "as when the run began")
    path = given or find_vgg16()
    (found,) = world.from_first([str(path or "")])
    if found:
        console.say(f"weights    of VGG16 for {what}: {found}")
        return Decision("yes", f"weights of VGG16 in {found}")
    reason = f"no weights of VGG16: {VGG16.where_looked()}"
    console.warn(
        f"training WITHOUT {what}: {reason}. `rsforge weights fetch vgg16` downloads them ({VGG16.mib:.0f} MiB), "
        f"--vgg-weights FILE names others; --no-perceptual goes without in silence"
    )
    return Decision("no", reason)


def load_features(
    given: Path | None, device: torch.device, *, what: str, resumed: bool, otherwise: str = OTHERWISE
) -> tuple[VggFeatures, Partners]:
    """The features that ``what`` compares; as ``load_network``."""
    return load_network(load_vgg16, given, device, what=what, resumed=resumed, otherwise=otherwise)


def load_network(
    build: Callable[[Path], N],
    given: Path | None,
    device: torch.device,
    *,
    what: str,
    resumed: bool,
    otherwise: str = OTHERWISE,
) -> tuple[N, Partners]:
    """The network that ``what`` needs, of the file ``given`` or of the cache, and what a run builds on with it.

    RSF-E007 when there is neither; ``otherwise`` is how to train without it, but for a run that is ``resumed``.
    """
    path = given or find_vgg16()
    if path is None:
        ways = ["get them with `rsforge weights fetch vgg16`", "name them with --vgg-weights FILE"]
        raise RsforgeError(
            "RSF-E007",
            f"{what} needs the weights of VGG16" + (", with which this run began" if resumed else ""),
            found=f"no --vgg-weights, and {VGG16.where_looked()}",
            fix=", or ".join(ways if resumed else [*ways, otherwise]),
        )
    network = build(path)
    return network.to(device), {"vgg16": Partner(path, checkpoint.digest_weights(network.state_dict()))}
