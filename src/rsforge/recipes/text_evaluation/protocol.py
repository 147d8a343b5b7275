"""How an evaluation was made, and that only those made alike are compared."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rsforge.errors import RsforgeError, from_os_error
from rsforge.recipes.evaluation.draw_spread import FINDINGS
from rsforge.recipes.evaluation.evaluation import MODEL, Batch, Figure, Prediction, Values
from rsforge.recipes.evaluation.summary import to_number
from rsforge.recipes.text_evaluation.validation_loss import PLAN, SECTION

PROTOCOL, COMPARED = "protocol", "compared"
SHOWN = 6
MOST_BYTES = 1 << 26


def read_earlier(path: Path, protocol: Mapping[str, Any]) -> dict[str, Any]:
    """The result of an earlier evaluation under the same ``protocol``.

    RSF-D006 for a file that holds none, RSF-U005 for another protocol: the message says what differs.
    """
    try:
        if path.stat().st_size > MOST_BYTES:
            raise ValueError(f"more than {MOST_BYTES} bytes")
        result = json.loads(path.read_bytes())
    except OSError as error:
        raise from_os_error(error) from error
    except (ValueError, RecursionError) as error:
        raise _no_evaluation(path, str(error)[:160]) from error
    if not isinstance(result, dict) or not all(isinstance(result.get(k), dict) for k in (PROTOCOL, "figures")):
        raise _no_evaluation(path, "no protocol, or no figures")
    if not isinstance(result["figures"].get(MODEL), dict):
        raise _no_evaluation(path, "no figures of a model")
    differences = list_differences(json.loads(json.dumps(protocol)), result[PROTOCOL])
    if differences:
        raise RsforgeError(
            "RSF-U005", "the two evaluations were made in different ways, and their figures mean different things",
            where=f"--compare {path}", found="; ".join(differences[:SHOWN]),
            fix="evaluate both models with the same options, images and weights",
        )  # fmt: skip
    return result


def _no_evaluation(path: Path, found: str) -> RsforgeError:
    fix = "name the evaluation.json that rsforge diffusion evaluate-text has written"
    return RsforgeError("RSF-D006", f"{path.name} is no evaluation of a model", where="--compare", found=found, fix=fix)


def list_differences(ours: Mapping[str, Any], theirs: Mapping[str, Any], before: str = "") -> list[str]:
    """What differs between two protocols, an entry each, those within others as ``outer.inner``."""
    found = []
    for name in sorted(ours.keys() | theirs.keys()):
        mine, other = ours.get(name), theirs.get(name)
        if isinstance(mine, Mapping) and isinstance(other, Mapping):
            found += list_differences(mine, other, f"{before}{name}.")
        elif mine != other or isinstance(mine, bool) != isinstance(other, bool):
            found.append(f"{before}{name} {_shorten(mine)} here, {_shorten(other)} there")
    return found


def _shorten(value: Any) -> str:
    text = "absent" if value is None else json.dumps(value, default=str) if isinstance(value, Mapping) else str(value)
    return text if len(text) <= 40 else f"{text[:37]}..."


class Comparison:
    """The figures of the model beside those of an earlier result, as the section ``compared``."""

    figures: tuple[Figure, ...] = ()

    def __init__(self, earlier: Mapping[str, Any], path: Path) -> None:
        self.earlier, self.path = earlier, path

    def update(self, predictions: Mapping[str, Prediction], batch: Batch) -> None:
        """Nothing is kept."""

    def add_to(self, result: dict[str, Any], values: Values) -> list[str]:
        """Both figures, their difference, and whether their intervals lie apart, None where they have none."""
        rows = {}
        for name, own in result["figures"][MODEL].items():
            other = self.earlier["figures"][MODEL].get(name)
            here, there = _middle(own), _middle(other)
            if here is not None and there is not None:
                rows[name] = {
                    "here": here, "there": there, "difference": to_number(here - there), "apart": lie_apart(own, other)
                }  # fmt: skip
        rows |= self._compare_losses(result)
        result[COMPARED] = {"file": str(self.path), "checkpoint": self.earlier.get("checkpoint"), "figures": rows}
        result[FINDINGS] = [*result.get(FINDINGS, []), *(self._describe(name, row) for name, row in rows.items())]
        return []

    def _compare_losses(self, result: Mapping[str, Any]) -> dict[str, Any]:
        """Both validation losses, where they are of the same noise: trainings choose it, each for itself."""
        own, other = (found.get(SECTION) for found in (result, self.earlier))
        if not isinstance(own, Mapping) or not isinstance(other, Mapping) or own.get(PLAN) != other.get(PLAN):
            return {}
        here, there = _middle(own.get("loss")), _middle(other.get("loss"))
        if here is None or there is None:
            return {}
        return {SECTION: {"here": here, "there": there, "difference": to_number(here - there), "apart": None}}

    def _describe(self, name: str, row: Mapping[str, Any]) -> str:
        apart = {True: "; the intervals lie apart", False: "; the intervals overlap", None: ""}[row["apart"]]
        return f"{name} is {row['here']:.4g}, in {self.path} {row['there']:.4g}{apart}"


def _middle(row: Any) -> float | None:
    value = row.get("mean") if isinstance(row, Mapping) else row
    return float(value) if isinstance(value, int | float) else None


def lie_apart(own: Any, other: Any) -> bool | None:
    """Whether two intervals have no point in common; None where one of them is none."""
    if not all(isinstance(row, Mapping) and isinstance(row.get("low"), int | float) for row in (own, other)):
        return None
    return bool(own["low"] > other["high"] or other["low"] > own["high"])
