"""On which images a model was chosen, and whether figures are of the images that chose it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rsforge.engine.early_stopping import find_best_step


def chosen_on(state: Mapping[str, Any]) -> str | None:
    """The subset whose figure made this model the best: ``val``, or ``train`` where nothing was held out.

    None where the checkpoint is of another step than the best one so far; those of earlier versions know the epoch.
    """
    best, progress = state.get("parts", {}).get("best"), state.get("progress", {})
    step = find_best_step(best) if best else None
    if step is not None:
        is_best = step == progress.get("step")
    else:
        is_best = not best or best["epoch"] + 1 == progress.get("epoch")
    if not is_best:
        return None
    return "val" if state.get("images", {}).get("held_out") else "train"


def list_selection_caveats(state: Mapping[str, Any], subset: str, *, own: bool) -> list[str]:
    """A sentence where figures are of the very images that chose the epoch; ``own`` as for ``MeasuredSubset``."""
    if not own or subset != chosen_on(state):
        return []
    return [f"the best epoch was chosen on these images ({subset}): the figures are better than on new images"]
