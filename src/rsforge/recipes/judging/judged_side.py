"""The samples that judge the best model of a training, and what is said of it in its last lines."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from rsforge.data.images.gaps import find_with_data
from rsforge.engine.loader import IndexedDataset
from rsforge.recipes.evaluation.evaluation import MODEL
from rsforge.recipes.selected_items import SelectedItems
from rsforge.recipes.verdict import KEY
from rsforge.wording import count_noun

SAID = 2  # figures that have a sentence of their own
MOST = 256
"""More samples are not judged by at the end of a training: an evaluation takes all."""


@dataclass(frozen=True)
class JudgedSide:
    """Samples and the scene of each, empty where unknown; ``subset`` is test, or val where nothing else is held out.

    ``indices`` are the places of the samples on their side, and ``noun`` what one of them is called. ``doubt`` is what
    is said of figures on them.
    """

    subset: str
    samples: IndexedDataset
    scenes: list[str]
    indices: Sequence[int]
    noun: str = "image"
    doubt: str = ""

    def of(self, samples: IndexedDataset) -> JudgedSide:
        """The same side, whose samples are given in another form."""
        return replace(self, samples=samples)


def choose_side(
    held_out: IndexedDataset,
    test: IndexedDataset,
    scenes: Callable[[IndexedDataset], list[str]],
    *,
    most: int = MOST,
    noun: str = "image",
) -> JudgedSide | None:
    """At most so many samples of ``test``, else of ``held_out``, evenly spread; None where nothing is held out.

    Those that hold no data are left out.
    """
    subset, samples = ("test", test) if len(test) else ("val", held_out)
    if not len(samples):
        return None
    count = min(len(samples), most)
    indices = list(find_with_data(samples, [k * len(samples) // count for k in range(count)]))
    if not indices:
        return None
    chosen = SelectedItems(samples, indices)
    return JudgedSide(subset, chosen, scenes(chosen), indices, noun)


def describe_judging(result: Mapping[str, Any], side: JudgedSide) -> dict[str, Any]:
    """What a training says of its best model: the figures that judge it beside those of its baselines, and the verdict.

    ``result`` holds ``figures`` and verdicts as an evaluation does, and ``interval`` says of what the interval is, with
    ``interval_warning`` where it is too narrow.
    """
    interval = "; ".join(filter(None, (result["interval"], result.get("interval_warning"))))
    told: dict[str, Any] = {"side": side.subset, "images": len(side.samples), "interval": interval}
    told |= {"doubt": side.doubt} if side.doubt else {}
    for verdict in result[KEY]:
        name, like = verdict["figure"], verdict["baseline_figure"]
        model = result["figures"][MODEL][name]
        others = {who: own[like]["mean"] for who, own in result["figures"].items() if who != MODEL and own.get(like)}
        told[name] = {MODEL: model["mean"], "low": model["low"], "high": model["high"], **others}
    told["better"] = bool(result[KEY]) and all(verdict["better"] for verdict in result[KEY])
    what = "chose nothing" if side.subset == "test" else "chose it"
    on = f"on {count_noun(len(side.samples), side.noun)} that {what}"
    sentences = [f"{sentence}, {on}." for sentence in _shorten(result[KEY])]
    return {"judged": told, "verdict": " ".join([*sentences, *([f"Mind: {side.doubt}."] if side.doubt else [])])}


def _shorten(verdicts: Sequence[Mapping[str, Any]]) -> list[str]:
    """Sentences on the first two figures, on each that is not better, and one that names all others."""
    said = [verdict["sentence"] for place, verdict in enumerate(verdicts) if place < SAID or not verdict["better"]]
    others = [verdict["figure"] for place, verdict in enumerate(verdicts) if place >= SAID and verdict["better"]]
    return [*said, f"It is better in {', '.join(others)} too"] if others else said
