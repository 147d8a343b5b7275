"""Workarounds for faults of installed libraries, applied before they are imported."""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys

_DECLARED: list[str] = []


def share_processors() -> None:
    """Let torch's threads wait briefly and then sleep, unless the environment says how they wait.

    GNU OpenMP's threads spin for milliseconds at every barrier. Alone on a machine that is up to a fifth faster; beside
    any other work on the same processors it is several times slower. Takes effect only before torch is imported.
    Pillow keeps the memory of a few images instead of giving each back to the system: a fifth of the time of
    decoding many. Takes effect only before Pillow is imported.
    """
    os.environ.setdefault("PILLOW_BLOCKS_MAX", "16")
    if not {"OMP_WAIT_POLICY", "GOMP_SPINCOUNT"} & os.environ.keys():
        os.environ["GOMP_SPINCOUNT"] = "1000"


def ensure_torchvision() -> str:
    """Make ``import torchvision`` work, and say how: ``native``, ``mended`` or ``absent``.

    torchvision's compiled operators do not load beside a CPU build of torch that they were not linked for, and
    its import then fails with "operator torchvision::nms does not exist". Declaring the two schemas it registers
    fakes for is enough for transforms, models and utils. Call this before importing torchvision or anything that
    imports it (torchmetrics, diffusers, transformers). Where the pair matches nothing is touched.
    """
    if "torchvision" in sys.modules:
        return "mended" if _DECLARED else "native"
    if importlib.util.find_spec("torchvision") is None:
        return "absent"
    try:
        importlib.import_module("torchvision")
        return "native"
    except RuntimeError as error:
        if "torchvision::" not in str(error):
            raise
    _forget("torchvision")
    _declare_operators()
    importlib.import_module("torchvision")
    return "mended"


def _forget(package: str) -> None:
    for name in [n for n in sys.modules if n.split(".")[0] == package]:
        del sys.modules[name]


def _declare_operators() -> None:
    from torch import library as registry

    for operator in ("torchvision::nms", "torchvision::qnms"):
        registry.define(operator, "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        _DECLARED.append(operator)
