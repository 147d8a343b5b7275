"""What an evaluation measures: which images, why those, and whether the model knows them."""

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

    ``subset`` is all, train, val or test, and ``reason`` says why, where nobody named it. ``trained`` counts those that
    the model was trained on, None where the checkpoint does not tell. With ``own`` the subset is that of the division
    that the model was trained by.
    """

    samples: IndexedDataset
    scenes: list[str]
    subset: str
    reason: str = ""
    trained: int | None = None
    own: bool = False

    def doubts(self, noun: str) -> list[str]:
        """What must be told with figures of these samples."""
        if self.trained is None:
            return ["whether these were trained on cannot be told"]
        return [f"{self.trained} of these {len(self.samples)} {noun} were trained on"] if self.trained else []


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
    """RSF-U005 where the division of the training is wanted and its settings are not there."""
    if not settings_of(state, "data"):
        what = f"--side {choice} needs a split, and {NOT_SAID}"
        raise RsforgeError("RSF-U005", what, where="--side, --split", fix=FIX)


def settings_of(state: Mapping[str, Any], section: str) -> dict[str, Any]:
    """What the training was told, as far as the checkpoint says."""
    return dict(state.get("settings", {}).get(section, {}))


def trained_digest(state: Mapping[str, Any]) -> str:
    """What the checkpoint calls the division that it was trained by."""
    return str(state.get("images", {}).get("split", ""))


def say_choice(subset: str, reason: str, show: Console) -> None:
    """Tell which subset is measured where nobody named one."""
    if reason:
        show.say(f"side       {subset}: {reason}")


def warn_trained(trained: int | None, total: int, subset: str, noun: str, show: Console) -> None:
    """Warn of images that the model was trained on."""
    if trained and subset != "train":
        show.warn(
            f"the model was trained on {trained} of these {total} {noun}: figures of the others are those of --side val"
        )


def choose_drawn(choice: str, *, ours: bool, held_out: int, noun: str) -> tuple[str, str]:
    """The subset of drawn samples, which are divided where the model was trained on them (``ours``), and why.

    RSF-U005 for one that they do not have.
    """
    if choice == "auto" and not ours:
        return "all", f"the model was not trained on drawn {noun}"
    if choice == "auto":
        return ("val", HELD_OUT) if held_out else ("all", NOTHING_HELD_OUT)
    if choice != "all" and not (ours and choice in ("train", "val")):
        found = "they are divided into train and val" if ours else f"the model was not trained on drawn {noun}"
        raise RsforgeError("RSF-U005", f"drawn {noun} have no side {choice}", where="--side", found=found)
    return choice, ""
