"""The metrics that need the weights of others: built where these are there, named where they are not."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from rsforge.errors import RsforgeError
from rsforge.metrics.inception import inception
from rsforge.metrics.lpips import Lpips
from rsforge.models.published_weights import INCEPTION, VGG16, PublishedWeights
from rsforge.models.vgg import NAME as VGG
from rsforge.models.vgg import VggFeatures, build_vgg16, find_vgg16
from rsforge.models.weight_files import misfit, read_weights
from rsforge.recipes.console import Console

N = TypeVar("N", bound=nn.Module)


@dataclass(frozen=True)
class LearnedMetrics:
    """Networks that judge, None where their weights are not there; ``absent`` says why, by metric."""

    lpips: Lpips | None
    inception: Callable[[Tensor], Tensor] | None
    absent: dict[str, str]


def find_inception() -> Path | None:
    """The last by name of the weights that torch-fidelity or pytorch-fid left in torch's cache; never downloads."""
    return INCEPTION.find()


def load_learned_metrics(
    vgg: Path | None, inception_v3: Path | None, device: torch.device, console: Console
) -> LearnedMetrics:
    """LPIPS and the network of FID and KID from the files given, else from torch's cache; a line for each that is not.

    RSF-C001, RSF-C003, RSF-C007, RSF-E002 or RSF-E008 for files that cannot be used, RSF-E006 where one is given for
    Inception and torch-fidelity is missing.
    """
    perceptual, absent = _find_lpips(vgg, device)
    features, without = load_inception(inception_v3, device)
    absent |= without
    _say_absent(absent, console)
    return LearnedMetrics(perceptual, features, absent)


def load_inception(path: Path | None, device: torch.device) -> tuple[nn.Module | None, dict[str, str]]:
    """The network of FID and KID alone, as ``load_learned_metrics`` loads it, or why there is none."""
    if not (found := path or find_inception()):
        return None, {"fid and kid": _where_looked(INCEPTION, "--inception-weights")}
    try:
        return _build(inception, found, "the weights of FID's Inception", "--inception-weights").to(device), {}
    except ImportError:
        if path:
            raise _no_torch_fidelity(path) from None
        return None, {"fid and kid": 'torch-fidelity is missing: pip install "rsforge[metrics]"'}


def load_vgg_features(path: Path | None, device: torch.device) -> tuple[VggFeatures | None, dict[str, str]]:
    """The features of the kernel distance, or why there are none; errors as of ``build_lpips``."""
    if found := path or find_vgg16():
        return _build(build_vgg16, found, VGG, "--vgg-weights").to(device), {}
    return None, {"kernel_distance": _where_looked(VGG16, "--vgg-weights")}


def load_lpips(vgg: Path | None, device: torch.device, console: Console) -> LearnedMetrics:
    """LPIPS alone, as ``load_learned_metrics`` loads it."""
    perceptual, absent = _find_lpips(vgg, device)
    _say_absent(absent, console)
    return LearnedMetrics(perceptual, None, absent)


def build_lpips(path: Path) -> Lpips:
    """LPIPS of a file of VGG16 weights; RSF-C001, RSF-C003 or RSF-C007 for one that cannot be used."""
    return _build(Lpips, path, VGG, "--vgg-weights")


def _find_lpips(vgg: Path | None, device: torch.device) -> tuple[Lpips | None, dict[str, str]]:
    if path := vgg or find_vgg16():
        return build_lpips(path).to(device), {}
    return None, {"lpips": _where_looked(VGG16, "--vgg-weights")}


def _say_absent(absent: Mapping[str, str], console: Console) -> None:
    for name, reason in absent.items():
        console.say(f"{name:<10} not measured: {reason}")


def _build(build: Callable[[Mapping[str, Any]], N], path: Path, name: str, option: str) -> N:
    fix = f"name an undamaged file with {option}, or remove this one and go without"
    weights = read_weights(path, name=name, fix=fix)
    try:
        return build(weights)
    except (KeyError, RuntimeError) as error:
        raise misfit(path, error, name=name, fix=fix) from None


def _where_looked(weights: PublishedWeights, option: str) -> str:
    return f"no {option}, and {weights.where_looked()}: rsforge weights fetch {weights.name}"


def _no_torch_fidelity(path: Path) -> RsforgeError:
    fix = 'pip install "rsforge[metrics]"'
    return RsforgeError("RSF-E006", "FID and KID need torch-fidelity", where=f"--inception-weights {path}", fix=fix)
