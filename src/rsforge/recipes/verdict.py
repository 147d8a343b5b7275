"""Whether a model is better than the best of its baselines: said in one way by trainings and evaluations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rsforge.errors import RsforgeError

ROUNDING = 1e-6
"""The share of a value that single precision leaves of the difference of equal ones."""
KEY = "verdicts"
"""Where a result holds what ``Verdict.as_dict`` returns, for each figure that judges."""


@dataclass(frozen=True)
class Verdict:
    """A model beside the best of its baselines in one figure.

    ``model`` and ``other`` are the values of the two, ``gain`` has ``mean``, ``low`` and ``high`` of their difference,
    above 0 where the model is better; what is no number is None. ``subject`` begins the sentence. Baselines call the
    figure ``like`` where that is another name.
    """

    figure: str
    model: float | None
    over: str
    other: float | None
    gain: Mapping[str, Any]
    subject: str = "the model"
    like: str = ""

    @property
    def better(self) -> bool:
        """Whether the mean gain is above 0, and above what rounding leaves between equal values."""
        mean = self.gain["mean"]
        return mean is not None and mean > ROUNDING * abs(self.other or 0.0)

    def describe(self) -> str:
        """The sentence, without its full stop."""
        subject = self.subject[:1].upper() + self.subject[1:]
        verb, their = ("are", "their") if subject.endswith("s") else ("is", "its")
        figures = f"{self.over} ({self.figure} {_spell(self.model)}, {_spell(self.other)})"
        if not self.better:
            return f"{subject} {verb} not better than {their} baseline {figures}"
        low, high = self.gain["low"], self.gain["high"]
        sentence = f"{subject} {verb} better than the best of {their} baselines, {figures}"
        if low is None:
            sentence += ", from too few samples for an interval"
        elif low <= 0:
            sentence += f", by no more than chance may give (gain {self.gain['mean']:.3g} [{low:.3g}, {high:.3g}])"
        return sentence

    def as_dict(self) -> dict[str, Any]:
        """The verdict as plain values."""
        names = {"figure": self.figure, "model": self.model, "over": self.over, "baseline": self.other}
        names |= {"baseline_figure": self.like or self.figure}
        return {**names, "gain": dict(self.gain), "better": self.better, "sentence": self.describe()}


def _spell(value: float | None) -> str:
    return "no number" if value is None else f"{value:.4g}"


def compare_with_best(
    figures: Mapping[str, Any], gain: Mapping[str, Any], figure: str, *, like: str = "", subject: str = "the model"
) -> list[dict[str, Any]]:
    """The verdict on ``figure`` of a summary, as a list of one; none where no baseline has it.

    ``figures`` are rows by predictor and figure, ``gain`` those by figure, with the baseline that they are ``over``.
    Baselines call the figure ``like`` where that is another name.
    """
    if figure not in gain:
        return []
    row, over = gain[figure], gain[figure]["over"]
    model, other = figures["model"][figure], figures[over][like or figure]
    rows = {name: row[name] for name in ("mean", "low", "high")}
    return [Verdict(figure, model["mean"], over, other["mean"], rows, subject, like).as_dict()]


def list_sentences(result: Mapping[str, Any]) -> list[str]:
    """What the verdicts of a result say, a sentence each."""
    return [f"{verdict['sentence']}." for verdict in result.get(KEY, ())]


def require_better(result: Mapping[str, Any], *, wanted: bool) -> None:
    """RSF-T005, where that is ``wanted``, unless the model is better than its baselines in every figure that judges.

    It is for the end of an evaluation, which has written everything: the error carries the result.
    """
    verdicts: Sequence[Mapping[str, Any]] = result.get(KEY, ())
    worse = [verdict["sentence"] for verdict in verdicts if not verdict["better"]]
    if not wanted or (verdicts and not worse):
        return
    what = worse[0] if worse else "there is no baseline to compare the model with"
    written = result.get("output_dir")
    raise RsforgeError(
        "RSF-T005",
        what[:1].lower() + what[1:],
        where=f"--fail-below-baseline, side {result.get('side', 'unknown')}",
        found="; ".join(worse[1:]),
        kept=f"the evaluation in {written}" if written else "",
        result=result,
    )
