"""What ``rsforge doctor`` and ``rsforge weights ls`` find out about published weights."""

from __future__ import annotations

from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from rsforge.models.published_weights import INCEPTION, PUBLISHED, RESNET18, VGG16, PublishedWeights, cache_folder
from rsforge.recipes.console import Console
from rsforge.recipes.tools.doctor_findings import (
    INSTALL,
    Finding,
    format_mib,
    report_missing,
    report_ok,
    report_warning,
    run_probe,
)
from rsforge.settings.weights import WeightsListSettings

HEADS = "functional/image/lpips_models/vgg.pth"


def list_weights(settings: WeightsListSettings, console: Console) -> dict[str, Any]:
    """Where weights are looked for, and a finding for each; with what is published, and under what licence."""
    published = {
        name: {"source": one.source, "size": format_mib(one.size), "sha256": one.sha256, "licence": one.licence}
        for name, one in PUBLISHED.items()
    }
    return {"looked_in": str(cache_folder()), **examine_weights(), "published": published}


def examine_weights() -> dict[str, Finding]:
    return {
        "vgg16": run_probe(partial(_examine_file, VGG16)),
        "lpips": run_probe(_examine_lpips),
        "inception": run_probe(partial(_examine_file, INCEPTION)),
        "resnet18": run_probe(partial(_examine_file, RESNET18)),
    }


def _examine_file(weights: PublishedWeights) -> Finding:
    path = weights.find()
    fetch = f"rsforge weights fetch {weights.name}"
    if path is None:
        fix = f"{fetch} ({format_mib(weights.size)}, for {weights.needed_by})"
        return report_missing(weights.where_looked(), fix)
    size = path.stat().st_size
    if path.name == weights.file and size != weights.size:
        found = f"{path} has {size} bytes and not the {weights.size} that are published"
        return report_warning(found, f"{fetch} --overwrite, unless layers were left out of it on purpose")
    return report_ok(str(path))


def _examine_lpips() -> Finding:
    """The learnt heads come with torchmetrics; the network below them is VGG16."""
    # Importing torchmetrics would take longer than all else here.
    package = find_spec("torchmetrics")
    heads = Path(package.origin or "").parent / HEADS if package else Path(HEADS)
    if not heads.is_file():
        return report_missing(f"no {heads} of torchmetrics", f"{INSTALL} --force-reinstall torchmetrics")
    if VGG16.find() is None:
        return report_missing(f"its heads are {heads}, and VGG16 is missing", f"rsforge weights fetch {VGG16.name}")
    return report_ok(f"{heads}, on VGG16")
