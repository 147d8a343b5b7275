"""What an evaluation measures: which samples, why those, and how many of them the model was trained on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rsforge.engine.loader import IndexedDataset
from rsforge.errors import RsforgeError
from rsforge.recipes.console import Console

NOT_SAID = "the checkpoint does not say how it was trained"
NOTHING_HELD_OUT = "nothing was held out of the training"
OTHER_DATA = "these are not the {noun} of the training, or not as they were divided"
HELD_OUT = "held out of the training, which knew no test subset"
FIX = "divide the data by `rsforge data split`, or measure --side all"


@dataclass(frozen=True)
class MeasuredSubset:
    """Samples to measure and the scene of each, empty where unknown.

    ``subset`` is all, train, val or test, and ``reason`` says why, where no option named it. ``trained`` counts those
    that the model was trained on, None where that is unknown. With ``own`` the subset is that of the division that the
    model was trained by. Of pairs, ``metadata`` is what tables and names say of each.
    """

    samples: IndexedDataset
    scenes: list[str]
    subset: str
    reason: str = ""
    trained: int | None = None
    own: bool = False
    metadata: Sequence[Mapping[str, str]] = ()

    def list_caveats(self, noun: str) -> list[str]:
        """What a reader of figures of these samples must know."""
        if self.trained is None:
            return ["whether these were trained on is unknown"]
        if self.trained:
            return [f"{self.trained} of these {len(self.samples)} {noun} were trained on"]
        return []


def choose_subset(choice: str, subsets: Mapping[str, Sequence[object]]) -> tuple[str, str]:
    """The subset to measure of a split that is followed, and why: test where it has one, else val, else all."""
    if choice != "auto":
        return choice, ""
    if subsets["test"]:
        return "test", "the split has one"
    if subsets["val"]:
        return "val", "the split has no test subset"
    return "all", "the split holds nothing out"


def why_undivided(state: Mapping[str, Any]) -> str:
    """Why the division of the training cannot be made again; empty where it may be tried."""
    if not settings_of(state, "data"):
        return NOT_SAID
    if not state.get("images", {}).get("held_out", 0):
        return NOTHING_HELD_OUT
    return ""


def check_divided(choice: str, *, same: bool, held_out: int, noun: str) -> None:
    """RSF-D012 unless the division is the ``same`` as that of the training, RSF-D004 where ``val`` of it is empty."""
    if not same:
        fix = f"name the data of the training, or {FIX}"
        raise RsforgeError("RSF-D012", OTHER_DATA.format(noun=noun), where="--side, --data-dir", fix=fix)
    if choice == "val" and not held_out:
        raise RsforgeError("RSF-D004", NOTHING_HELD_OUT, where="--side", fix=FIX)


def check_known(choice: str, state: Mapping[str, Any]) -> None:
    """RSF-U005 where the division of the training is asked for and the checkpoint lacks its settings."""
    if not settings_of(state, "data"):
        what = f"--side {choice} needs a split, and {NOT_SAID}"
        raise RsforgeError("RSF-U005", what, where="--side, --split", fix=FIX)


def settings_of(state: Mapping[str, Any], section: str) -> dict[str, Any]:
    """The settings of a section that the training had; {} where the checkpoint has none."""
    return dict(state.get("settings", {}).get(section, {}))


def trained_digest(state: Mapping[str, Any]) -> str:
    """The digest of the division that the checkpoint was trained by; "" for none."""
    return str(state.get("images", {}).get("split", ""))


def say_choice(subset: str, reason: str, console: Console) -> None:
    """Report which subset is measured, where no option named one."""
    if reason:
        console.say(f"side       {subset}: {reason}")


def warn_trained(trained: int | None, total: int, subset: str, noun: str, console: Console) -> None:
    """Warn when the model was trained on some of the images."""
    if trained and subset != "train":
        console.warn(
            f"the model was trained on {trained} of these {total} {noun}: --side val measures the others alone"
        )


def choose_synthetic(choice: str, *, ours: bool, held_out: int, noun: str) -> tuple[str, str]:
    """The subset of synthetic samples, divided only if the model was trained on them (``ours``), and why.

    RSF-U005 for a subset that they do not have.
    """
    if choice == "auto" and not ours:
        return "all", f"the model was not trained on synthetic {noun}"
    if choice == "auto":
        return ("val", HELD_OUT) if held_out else ("all", NOTHING_HELD_OUT)
    if choice != "all" and not (ours and choice in ("train", "val")):
        found = "they are divided into train and val" if ours else f"the model was not trained on synthetic {noun}"
        raise RsforgeError("RSF-U005", f"synthetic {noun} have no subset {choice}", where="--side", found=found)
    return choice, ""
