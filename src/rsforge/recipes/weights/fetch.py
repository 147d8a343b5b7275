"""``rsforge weights fetch``: published weights, downloaded to where they are looked for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rsforge import leftovers
from rsforge.data.files.digests import file_digest
from rsforge.errors import RsforgeError
from rsforge.models.published_weights import PUBLISHED, PublishedWeights
from rsforge.recipes.console import Console
from rsforge.recipes.training import output_dir
from rsforge.recipes.weights.download import download
from rsforge.settings.weights import WeightsFetchSettings


def fetch(settings: WeightsFetchSettings, console: Console) -> dict[str, Any]:
    """Download the named weights, unless they are there; nothing is opened, only counted and digested.

    RSF-U004 where a file of that name has other bytes, RSF-E011 where the download fails or is not what is published.
    """
    weights = PUBLISHED[settings.name]
    source = settings.source or weights.source
    facts = {
        "path": str(weights.path),
        "source": source,
        "mib": round(weights.mib, 1),
        "sha256": weights.sha256,
        "licence": weights.licence,
    }
    if _is_there(weights, overwrite=settings.overwrite):
        console.say(f"there      {weights.path} is the published file")
        return {**facts, "fetched": False}
    console.say(f"source     {source} ({weights.mib:.0f} MiB)")
    console.say(f"licence    {weights.licence}")
    if console.dry_run:
        return {**facts, "fetched": False}
    output_dir.make(weights.path.parent)
    leftovers.sweep_for([weights.path])
    with console.progress("MiB", round(weights.mib)) as meter:
        download(weights, source, timeout=settings.timeout, on_mib=meter.step)
    return {**facts, "fetched": True}


def _is_there(weights: PublishedWeights, *, overwrite: bool) -> bool:
    """Whether the published file is there; RSF-U004 for another one of its name that may not be replaced."""
    path: Path = weights.path
    if not path.is_file():
        return False
    if path.stat().st_size == weights.size and file_digest(path) == weights.sha256:
        return True
    if not overwrite:
        raise RsforgeError(
            "RSF-U004",
            "a file of that name is there and is not the published one: damaged, or layers were left out",
            where=str(path),
            fix="replace it with --overwrite, or move it away",
        )
    return False
