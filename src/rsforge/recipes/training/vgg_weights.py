"""Weights of VGG16 that the user has: named, or left in torch's cache by other programs."""

from __future__ import annotations

from pathlib import Path

import torch

from rsforge.engine import checkpoint
from rsforge.engine.distributed import SingleProcess
from rsforge.errors import RsforgeError
from rsforge.models.published_weights import VGG16
from rsforge.models.vgg import VggFeatures, find_vgg16, load_vgg16
from rsforge.recipes.console import Console
from rsforge.recipes.training.decisions import Decision
from rsforge.recipes.training.job import Partner

Partners = dict[str, Partner]


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
    given: Path | None, device: torch.device, *, what: str, resumed: bool
) -> tuple[VggFeatures, Partners]:
    """The features that ``what`` needs, from the file ``given`` or from the cache, and what a run builds on with them.

    RSF-E007 when there is neither; a run that is ``resumed`` cannot go on without them.
    """
    path = given or find_vgg16()
    if path is None:
        ways = ["get them with `rsforge weights fetch vgg16`", "name them with --vgg-weights FILE"]
        raise RsforgeError(
            "RSF-E007",
            f"{what} needs the weights of VGG16" + (", with which this run began" if resumed else ""),
            found=f"no --vgg-weights, and {VGG16.where_looked()}",
            fix=", or ".join(ways if resumed else [*ways, "train with --no-perceptual"]),
        )
    network = load_vgg16(path)
    return network.to(device), {"vgg16": Partner(path, checkpoint.digest_weights(network.state_dict()))}
