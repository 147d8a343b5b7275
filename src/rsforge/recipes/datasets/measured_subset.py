"""What an evaluation measures: which samples, why those, and how many of them the model was trained on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from rsforge.data.splits.split_file import SUBSETS, Sides
from rsforge.engine.loader import IndexedDataset
from rsforge.errors import RsforgeError
from rsforge.recipes.console import Console

NOT_SAID = "the checkpoint does not say how it was trained"
NOTHING_HELD_OUT = "nothing was held out of the training"
OTHER_DATA = "these are not the {noun} of the training, or not as they were divided"
HELD_OUT = "held out of the training, which knew no test subset"
CHOSE_NOTHING = "held out of the training and of its choice"
T = TypeVar("T")
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
    if not state.get("images", {}).get("held_out", 0) and not count_test(state):
        return NOTHING_HELD_OUT
    return ""


def count_test(state: Mapping[str, Any]) -> int:
    """How many samples the training held out to be judged by, when it divided its data by itself or by a split."""
    return int(state.get("images", {}).get("test", 0))


def choose_of_division(sides: Sides[T]) -> tuple[list[T], str, str]:
    """The samples to measure of the division of a training, their subset, and why: what chose nothing, else val."""
    if sides.test:
        return sides.test, "test", CHOSE_NOTHING
    return sides.val, "val", HELD_OUT


def check_divided(choice: str, *, same: bool, count: int, noun: str) -> None:
    """RSF-D012 unless the division is the ``same`` as that of the training, RSF-D004 where nothing is chosen of it."""
    if not same:
        fix = f"name the data of the training, or {FIX}"
        raise RsforgeError("RSF-D012", OTHER_DATA.format(noun=noun), where="--side, --data-dir", fix=fix)
    if not count:
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


def choose_synthetic(choice: str, *, ours: bool, sides: tuple[int, int, int], noun: str) -> tuple[str, str]:
    """The subset of synthetic samples, divided only if the model was trained on them (``ours``), and why.

    ``sides`` are the sizes of train, val and test.
    RSF-U005 for a subset that they do not have.
    """
    if choice == "auto" and not ours:
        return "all", f"the model was not trained on synthetic {noun}"
    if choice == "auto":
        if sides[2]:
            return "test", CHOSE_NOTHING
        return ("val", HELD_OUT) if sides[1] else ("all", NOTHING_HELD_OUT)
    divided = SUBSETS if sides[2] else SUBSETS[:2]
    if choice != "all" and not (ours and choice in divided):
        found = f"the model was not trained on synthetic {noun}"
        found = f"they are divided into {' and '.join(divided)}" if ours else found
        raise RsforgeError("RSF-U005", f"synthetic {noun} have no subset {choice}", where="--side", found=found)
    return choice, ""
