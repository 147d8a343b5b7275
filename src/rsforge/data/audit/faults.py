"""Faults of a data set: kinds with severity and remedy, and the rules that find them in statistics of images."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeVar

from rsforge.data.audit.image_stats import ImageStats
from rsforge.data.audit.registration import CERTAIN, CONCLUSIVE, Shift, common_shift
from rsforge.data.io.image_reader import NO_DATA
from rsforge.data.splits.items import SharedPixels

T = TypeVar("T", bound=Hashable)
Figures = dict[str, float | int | str]

SATURATED = 0.2
CLOUDY = 0.25
EMPTY = 0.5
MIN_MEMBERS = 3  # fewer items of a folder do not show what is common


class FaultKind(NamedTuple):
    """The severity of a kind of fault, its title, and the remedy."""

    severity: str
    title: str
    remedy: str


KINDS: dict[str, FaultKind] = {
    "corrupt": FaultKind("error", "Cannot be read", "Fetch the file again, or remove the item."),
    "orphan": FaultKind(
        "error",
        "Without a partner",
        "Add or rename the missing file, or remove the one that is left.",
    ),
    "table": FaultKind("error", "Tables contradict the files", "Correct the named line of the table."),
    "grid": FaultKind("error", "Grids differ", "Resample one image onto the grid of the other."),
    "size": FaultKind("error", "Of another size", "Cut or resample the image to the size of the others."),
    "non-finite": FaultKind("error", "Values that are no numbers", "Repair the values, or declare them as nodata."),
    "constant": FaultKind("error", "One value everywhere", "Remove the item: there is nothing to learn from it."),
    "gray": FaultKind("error", "Grey where colour is expected", "Use colour images, or give --allow-gray-optical."),
    "radiometry": FaultKind(
        "error",
        "Values contradict their unit",
        "Declare the right --radiometry, or convert the file.",
    ),
    "bands": FaultKind(
        "error",
        "Bands that cannot be told",
        "Name the bands with --bands, of SAR images with --sar-bands.",
    ),
    "range": FaultKind(
        "error",
        "More than 8 bits without a range",
        "Give the values that become black and white with --range LOW HIGH, or --range percentile.",
    ),
    "fill": FaultKind(
        "error",
        "One value where nothing was measured",
        "Leave it out with --fill VALUE, or declare it as nodata in the files.",
    ),
    "unmeasured": FaultKind(
        "error",
        "One value where nothing was measured, in patches of cubes",
        "Cut the cubes again by `rsforge data hsi-patches --fill VALUE`, or add a dataset `valid` that is 0 there.",
    ),
    "baseline": FaultKind(
        "error",
        "About 1000 above the others",
        "Take 1000 off the Sentinel-2 images of processing baseline 04.00 and later, or tag them PROCESSING_BASELINE.",
    ),
    "misregistered": FaultKind(
        "error",
        "Misregistered",
        "Shift the image back by the named pixels, or remove the pair.",
    ),
    "leak": FaultKind(
        "error",
        "In several subsets of the split",
        "Run `rsforge data split` again, by scene or by block.",
    ),
    "split": FaultKind("error", "The split does not fit the data", "Run `rsforge data split` on the data as they are."),
    "displaced": FaultKind("warning", "Perhaps misregistered", "Look at the pair: relief and towns lean, too."),
    "duplicate": FaultKind("warning", "The same pixels twice", "Keep one of them."),
    "overlap": FaultKind(
        "warning",
        "Shares pixels with another",
        "Nothing, if `rsforge data split` divides the data: it keeps them in one subset.",
    ),
    "saturated": FaultKind("warning", "Saturated", "Stretch the source less, or accept the loss."),
    "cloudy": FaultKind("warning", "Looks cloudy", "Look at the image: snow, sand and salt look like clouds."),
    "mixed": FaultKind("warning", "Grey among colours", "Use colour images alone, or grey ones alone."),
    "untold": FaultKind("warning", "Without a table", "Restore the table, if there was one: places are unknown."),
    "unread": FaultKind(
        "warning",
        "Seen and not understood",
        "Name folders of pairs s1 and s2, or images alike but for sar and opt; nothing, if these are plain images.",
    ),
    "stray": FaultKind("warning", "Belongs to nothing", "Move it where it belongs, or remove it."),
    "blank": FaultKind(
        "warning",
        "Black or white areas at the border",
        "Nothing, where they show water, snow or cloud; else leave them out with --fill VALUE.",
    ),
    "names": FaultKind(
        "warning",
        "Bands whose names say no colours",
        "Nothing, if these are the colours that you want; else name others with --bands.",
    ),
    "several": FaultKind("warning", "Several pictures in a file", "Nothing, if the first of them is the one you want."),
    "nodata": FaultKind("warning", "Mostly without data", "Leave the item out."),
}


@dataclass(frozen=True)
class DataFault:
    """One fault of one item; ``modality`` names the image that has it (sar, optical, image, patch) or is ""."""

    kind: str
    item: str
    reason: str
    modality: str = ""
    figures: Figures = field(default_factory=dict)

    @property
    def severity(self) -> str:
        return KINDS[self.kind].severity

    def as_dict(self) -> dict[str, Any]:
        """The fault as stored in ``audit.json``, where the modality has the key ``side``."""
        return {
            "severity": self.severity,
            "kind": self.kind,
            "item": self.item,
            "reason": self.reason,
            "side": self.modality,
            "figures": self.figures,
        }


def find_image_faults(item: str, modality: str, stats: ImageStats, *, gray_is_fault: bool) -> Iterator[DataFault]:
    """The faults of one image that do not depend on other images."""
    if stats.non_finite:
        count = stats.non_finite
        yield DataFault("non-finite", item, f"{count} of its values are no numbers", modality, {"values": count})
    if stats.constant or not stats.valid:
        reason = f"every value is {stats.overall.low:g}" if stats.constant else NO_DATA
        yield DataFault("constant", item, reason, modality)
        return
    if stats.valid < EMPTY:
        share = 1 - stats.valid
        yield DataFault("nodata", item, f"{share:.0%} holds no data", modality, {"share": _round_share(share)})
    if stats.fill is not None:
        value, share, straight = stats.fill
        kind = "blank" if stats.dtype == "uint8" and not straight else "fill"
        kind = "unmeasured" if modality == "patch" else kind
        reason = f"{value:g} stands in {share:.0%} of it, in areas at the border, and is not declared as no data"
        yield DataFault(kind, item, reason, modality, {"value": value, "share": _round_share(share)})
    if gray_is_fault and stats.gray:
        reason = "it has one band" if stats.bands == 1 else "its three bands are the same"
        yield DataFault("gray", item, reason, modality, {"bands": stats.bands})
    if stats.saturated - (stats.fill.share if stats.fill else 0.0) > SATURATED:
        reason = f"{stats.saturated:.0%} of its values are at an end of the range"
        yield DataFault("saturated", item, reason, modality, {"share": _round_share(stats.saturated)})
    if stats.cloudy > CLOUDY:
        reason = f"{stats.cloudy:.0%} is bright, white and smooth"
        yield DataFault("cloudy", item, reason, modality, {"share": _round_share(stats.cloudy)})


def _round_share(value: float) -> float:
    return round(value, 4)


def find_size_faults(sizes: Mapping[tuple[str, str], tuple[int, int]], size: int | None) -> Iterator[DataFault]:
    """Images, by (item, modality), that are not ``size`` pixels square, or if None, not as most in their folder."""
    usual = _most_common_by_folder((item, own) for (item, _), own in sizes.items())
    for (item, modality), own in sizes.items():
        expected = (size, size) if size else usual.get(folder_of(item))
        if expected and own != expected:
            reason = f"{own[0]} x {own[1]} pixels where {expected[0]} x {expected[1]} are expected"
            yield DataFault("size", item, reason, modality, {"height": own[0], "width": own[1]})


def _most_common_by_folder(values: Iterable[tuple[str, T]]) -> dict[str, T]:
    """By folder, the value that more than half of its items have; folders of few items are left out."""
    folders: dict[str, list[T]] = defaultdict(list)
    for item, value in values:
        folders[folder_of(item)].append(value)
    usual = {}
    for folder, members in folders.items():
        value, count = Counter(members).most_common(1)[0]
        if len(members) >= MIN_MEMBERS and count > len(members) / 2:
            usual[folder] = value
    return usual


def folder_of(item: str) -> str:
    """The folder of an item; empty for items of the root."""
    return item.rsplit("/", 1)[0] if "/" in item else ""


def find_unit_faults(stats: Iterable[tuple[str, ImageStats]]) -> Iterator[DataFault]:
    """SAR images, as (item, statistics), whose kind of values is not that of most in their folder."""
    kinds = {item: _value_kind(own) for item, own in stats}
    usual = _most_common_by_folder(kinds.items())
    for item, kind in kinds.items():
        expected = usual.get(folder_of(item), kind)
        if kind != expected:
            yield DataFault("radiometry", item, f"its values are {kind}, those of most are {expected}", "sar")


def _value_kind(stats: ImageStats) -> str:
    if stats.dtype == "uint8":
        return "8-bit"
    return "decibels or other signed numbers" if stats.overall.low < 0 else "powers or amplitudes"


def find_colour_faults(stats: Iterable[tuple[str, ImageStats]]) -> Iterator[DataFault]:
    """Optical images, as (item, statistics), that are grey while most in their folder are not."""
    gray = {item: own.gray for item, own in stats}
    usual = _most_common_by_folder(gray.items())
    for item in gray:
        if gray[item] and not usual.get(folder_of(item), True):
            yield DataFault("mixed", item, "it is grey, most of its folder are in colour", "optical")


def find_duplicate_faults(digests: Iterable[tuple[str, str, str]]) -> Iterator[DataFault]:
    """Images, as (item, modality, digest), with the pixels of an earlier image."""
    first: dict[str, tuple[str, str]] = {}
    for item, modality, digest in digests:
        if digest not in first:
            first[digest] = (item, modality)
            continue
        other, other_modality = first[digest]
        if other == item:
            same = "the other image of the pair"
        elif other_modality == "image":
            same = other
        else:
            same = f"{other_modality} of {other}"
        yield DataFault("duplicate", item, f"its pixels are those of {same}", modality, {"first": other})


def find_overlap_faults(shared: Iterable[SharedPixels]) -> Iterator[DataFault]:
    """Pairs of items that show the same pixels, each as one fault of its first item."""
    for both in shared:
        item, other = both.names
        rows, cols = both.offset
        figures: Figures = {"other": other, "share": both.share, "rows": rows, "cols": cols}
        reason = f"with {other}: {both.describe()}"
        yield DataFault("overlap", item, reason, "", {**figures, "correlation": both.correlation})


def find_shift_faults(shifts: Mapping[str, Shift], max_shift: float) -> Iterator[DataFault]:
    """Pairs shifted by at least ``max_shift`` pixels, both in total and relative to the shift common to their folder.

    A common shift of that size is one fault of the folder.
    """
    folders: dict[str, dict[str, Shift]] = defaultdict(dict)
    for item, shift in shifts.items():
        folders[folder_of(item)][item] = shift
    for folder, members in folders.items():
        rows, cols = common_shift(list(members.values()))
        common = Shift(rows, cols, 0.0)
        if common.length >= max_shift:
            conclusive = sum(shift.conclusive for shift in members.values())
            reason = f"{conclusive} of its {len(members)} pairs agree: {_describe_shift(common)}"
            yield DataFault("misregistered", folder or ".", reason, "", _shift_figures(common))
        beside = f", beside the {common.length:.1f} that its folder shares" if common.length > 0.5 else ""
        for item, shift in members.items():
            own = shift.minus(rows, cols)
            confidence = _fault_confidence(own, max_shift)
            if confidence >= CONCLUSIVE and min(shift.length, own.length) >= max_shift:
                kind = "misregistered" if confidence >= CERTAIN else "displaced"
                yield DataFault(kind, item, _describe_shift(own) + beside, "", _shift_figures(own))


def _fault_confidence(shift: Shift, max_shift: float) -> float:
    """The confidence that a shift is a fault.

    Relief and tall buildings displace parts of an image by a few pixels. Below twice ``max_shift`` the confidence is
    therefore reduced by the cube of the length, to an eighth at ``max_shift`` itself.
    """
    return shift.confidence * min(1.0, shift.length / (2 * max_shift)) ** 3


def _describe_shift(shift: Shift) -> str:
    vertical = "lower" if shift.rows > 0 else "higher"
    horizontal = "further right" if shift.cols > 0 else "further left"
    steps = [(abs(shift.rows), vertical), (abs(shift.cols), horizontal)]
    described = " and ".join(f"{pixels:.1f} pixels {direction}" for pixels, direction in steps if pixels >= 0.05)
    return f"the optical image lies {described} than the SAR image"


def _shift_figures(shift: Shift) -> Figures:
    numbers = {"rows": shift.rows, "cols": shift.cols, "pixels": shift.length, "confidence": shift.confidence}
    return {name: round(value, 2) for name, value in numbers.items()}
