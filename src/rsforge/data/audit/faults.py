"""What can be wrong with an image, a pair, or the whole of a data set, each with a reason and its figures."""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from rsforge.data.audit.registration import CERTAIN, CONCLUSIVE, Shift, common

Values = npt.NDArray[Any]
Mask = npt.NDArray[np.bool_]
T = TypeVar("T", bound=Hashable)

SATURATED, CLOUDY, EMPTY = 0.2, 0.25, 0.5
MOST_BANDS = 16
_FEWEST = 3


class Kind(NamedTuple):
    """How grave a kind of fault is, its title, and what to do about it."""

    severity: str
    title: str
    remedy: str


KINDS: dict[str, Kind] = {
    "corrupt": Kind("error", "Cannot be read", "Fetch the file again, or remove the item."),
    "orphan": Kind("error", "Without a partner", "Add or rename the missing file, or remove the one that is left."),
    "table": Kind("error", "Tables contradict the files", "Correct the named line of the table."),
    "grid": Kind("error", "Grids differ", "Resample one image onto the grid of the other."),
    "size": Kind("error", "Of another size", "Cut or resample the image to the size of the others."),
    "non-finite": Kind("error", "Values that are no numbers", "Repair the values, or declare them as nodata."),
    "constant": Kind("error", "One value everywhere", "Remove the item: there is nothing to learn from it."),
    "gray": Kind("error", "Grey where colour is expected", "Use colour images, or give --allow-gray-optical."),
    "radiometry": Kind("error", "Values contradict their unit", "Declare the right --radiometry, or convert the file."),
    "misregistered": Kind("error", "Misregistered", "Shift the image back by the named pixels, or remove the pair."),
    "leak": Kind("error", "On both sides of the split", "Run `rsforge data split` again, by scene or by block."),
    "split": Kind("error", "The split does not fit the data", "Run `rsforge data split` on the data as they are."),
    "displaced": Kind("warning", "Perhaps misregistered", "Look at the pair: relief and towns lean, too."),
    "duplicate": Kind("warning", "The same pixels twice", "Keep one of them."),
    "saturated": Kind("warning", "Saturated", "Stretch the source less, or accept the loss."),
    "cloudy": Kind("warning", "Looks cloudy", "Look at the image: snow, sand and salt look like clouds."),
    "mixed": Kind("warning", "Grey among colours", "Use colour images alone, or grey ones alone."),
    "untold": Kind("warning", "Without a table", "Restore the table, if there was one: places are unknown."),
    "stray": Kind("warning", "Belongs to nothing", "Move it where it belongs, or remove it."),
    "nodata": Kind("warning", "Mostly without data", "Leave the item out."),
}  # fmt: skip


@dataclass(frozen=True)
class Fault:
    """One fault of one item; ``side`` is the image that has it, empty when it is the item."""

    kind: str
    item: str
    reason: str
    side: str = ""
    figures: dict[str, float | int | str] = field(default_factory=dict)

    @property
    def severity(self) -> str:
        return KINDS[self.kind].severity

    def as_dict(self) -> dict[str, Any]:
        return {"severity": self.severity, **vars(self)}


class Span(NamedTuple):
    """The extent of values, their mean and standard deviation; nan where there are none."""

    low: float
    high: float
    mean: float
    std: float

    @classmethod
    def of(cls, values: Values) -> Span:
        if not values.size:
            return cls(*(float("nan"),) * 4)
        return cls(*(float(v) for v in (values.min(), values.max(), values.mean(dtype=float), values.std(dtype=float))))


@dataclass(frozen=True)
class Seen:
    """What one image is: shape, dtype, figures over what holds data, and the SHA-256 of its pixels.

    ``spans`` are those of the bands (of the first ``MOST_BANDS``); ``valid``, ``saturated`` and ``cloudy`` are shares.
    """

    height: int
    width: int
    bands: int
    dtype: str
    whole: Span
    spans: tuple[Span, ...]
    valid: float
    non_finite: int
    saturated: float
    cloudy: float
    gray: bool
    pixels: str

    @property
    def constant(self) -> bool:
        return self.whole.low == self.whole.high and self.non_finite == 0


def see(values: Values, valid: Mask) -> Seen:
    """Measure ``values (H, W, C)`` where ``valid (H, W)`` says that there are any."""
    held = values[valid]
    finite = np.isfinite(held) if held.dtype.kind == "f" else np.ones(held.shape, bool)
    sound, whole = held[finite], Span.of(held[finite])
    height, width, bands = values.shape
    spans = (whole,) if bands == 1 else tuple(Span.of(held[finite[:, k], k]) for k in range(min(bands, MOST_BANDS)))
    gray = bands == 1 or (bands == 3 and bool(np.all(values[..., :1] == values[..., 1:])))
    return Seen(
        height, width, bands, str(values.dtype), whole, spans, float(valid.mean()), held.size - sound.size,
        _saturated(sound), 0.0 if gray else cloudy(values), gray, pixel_digest(values),
    )  # fmt: skip


def pixel_digest(values: Values) -> str:
    """SHA-256 of shape, type and values: the same for the same pixels in another file format."""
    digest = hashlib.sha256(f"{values.shape} {values.dtype.str}".encode())
    digest.update(np.ascontiguousarray(values).data)
    return digest.hexdigest()


def _saturated(values: Values) -> float:
    """The larger share at an end of an integer type's range."""
    if values.dtype.kind not in "iu" or not values.size:
        return 0.0
    ends = np.iinfo(values.dtype)
    lowest = float(np.mean(values == ends.min)) if ends.min == 0 else 0.0
    return max(lowest, float(np.mean(values == ends.max)))


def cloudy(values: Values) -> float:
    """The share of 8-bit ``values (H, W, 3)`` that is bright, white and smooth, as clouds are; 0 for other types."""
    if values.dtype != np.uint8 or values.shape[2] != 3:
        return 0.0
    darkest, brightest = values.min(axis=2).astype(np.float32), values.max(axis=2).astype(np.float32)
    mean = ndimage.uniform_filter(darkest, 5)
    rough = np.maximum(ndimage.uniform_filter(darkest * darkest, 5) - mean * mean, 0)
    return float(np.mean((darkest > 140) & (brightest - darkest < 0.2 * brightest) & (rough < 15**2)))


def image_faults(item: str, side: str, seen: Seen, *, gray_is_fault: bool) -> Iterator[Fault]:
    """What is wrong with one image, whatever the others are."""
    if seen.non_finite:
        count = seen.non_finite
        yield Fault("non-finite", item, f"{count} of its values are no numbers", side, {"values": count})
    if seen.constant or not seen.valid:
        reason = f"every value is {seen.whole.low:g}" if seen.constant else "none of its pixels holds data"
        yield Fault("constant", item, reason, side)
        return
    if seen.valid < EMPTY:
        yield Fault("nodata", item, f"{1 - seen.valid:.0%} holds no data", side, {"share": _share(1 - seen.valid)})
    if gray_is_fault and seen.gray:
        reason = "it has one band" if seen.bands == 1 else "its three bands are the same"
        yield Fault("gray", item, reason, side, {"bands": seen.bands})
    if seen.saturated > SATURATED:
        reason = f"{seen.saturated:.0%} of its values are at an end of the range"
        yield Fault("saturated", item, reason, side, {"share": _share(seen.saturated)})
    if seen.cloudy > CLOUDY:
        reason = f"{seen.cloudy:.0%} is bright, white and smooth"
        yield Fault("cloudy", item, reason, side, {"share": _share(seen.cloudy)})


def _share(value: float) -> float:
    return round(value, 4)


def size_faults(sizes: Mapping[tuple[str, str], tuple[int, int]], side: int | None) -> Iterator[Fault]:
    """Images, by (item, side), that are not ``side`` pixels square, or not of the size most of their folder have."""
    usual = _usual((item, size) for (item, _), size in sizes.items())
    for (item, which), size in sizes.items():
        wanted = (side, side) if side else usual.get(folder(item))
        if wanted and size != wanted:
            reason = f"{size[0]} x {size[1]} pixels where {wanted[0]} x {wanted[1]} are expected"
            yield Fault("size", item, reason, which, {"height": size[0], "width": size[1]})


def _usual(found: Iterable[tuple[str, T]]) -> dict[str, T]:
    """By folder, what most of its items have in common, where they are enough to tell."""
    folders: dict[str, list[T]] = defaultdict(list)
    for item, value in found:
        folders[folder(item)].append(value)
    most = {name: (len(values), Counter(values).most_common(1)[0]) for name, values in folders.items()}
    return {name: value for name, (total, (value, n)) in most.items() if total >= _FEWEST and n > total / 2}


def folder(item: str) -> str:
    """The folder of an item, that of its neighbours; empty at the top."""
    return item.rsplit("/", 1)[0] if "/" in item else ""


def unit_faults(seen: Iterable[tuple[str, Seen]]) -> Iterator[Fault]:
    """SAR images, as (item, what was seen), whose values are of another sort than those of most in their folder."""
    sorts = {item: _sort(look) for item, look in seen}
    usual = _usual(sorts.items())
    for item, sort in sorts.items():
        if sort != usual.get(folder(item), sort):
            yield Fault("radiometry", item, f"its values are {sort}, those of most are {usual[folder(item)]}", "sar")


def _sort(look: Seen) -> str:
    if look.dtype == "uint8":
        return "8-bit"
    return "decibels or other signed numbers" if look.whole.low < 0 else "powers or amplitudes"


def colour_faults(seen: Iterable[tuple[str, Seen]]) -> Iterator[Fault]:
    """Optical images, as (item, what was seen), that are grey while most in their folder are not."""
    gray = {item: look.gray for item, look in seen}
    usual = _usual(gray.items())
    for item in gray:
        if gray[item] and not usual.get(folder(item), True):
            yield Fault("mixed", item, "it is grey, most of its folder are in colour", "optical")


def duplicate_faults(digests: Iterable[tuple[str, str, str]]) -> Iterator[Fault]:
    """Images of (item, side, digest) that have the pixels of an earlier one."""
    first: dict[str, tuple[str, str]] = {}
    for item, side, digest in digests:
        if digest not in first:
            first[digest] = (item, side)
            continue
        other, which = first[digest]
        same = "the other image of the pair" if other == item else f"{which} of {other}" if which != "image" else other
        yield Fault("duplicate", item, f"its pixels are those of {same}", side, {"first": other})


def shift_faults(shifts: Mapping[str, Shift], longest: float) -> Iterator[Fault]:
    """Pairs shifted by ``longest`` pixels or more, both outright and beside what the pairs of their folder share.

    A folder whose pairs share such a shift is one fault of its own.
    """
    folders: dict[str, dict[str, Shift]] = defaultdict(dict)
    for item, shift in shifts.items():
        folders[folder(item)][item] = shift
    for name, members in folders.items():
        rows, cols = common(list(members.values()))
        shared = Shift(rows, cols, 0.0)
        if shared.length >= longest:
            sure = sum(s.conclusive for s in members.values())
            reason = f"{sure} of its {len(members)} pairs agree: {_told(shared)}"
            yield Fault("misregistered", name or ".", reason, "", _figures(shared))
        for item, shift in members.items():
            beside = shift.minus(rows, cols)
            trust = _trust(beside, longest)
            if trust >= CONCLUSIVE and min(shift.length, beside.length) >= longest:
                kind = "misregistered" if trust >= CERTAIN else "displaced"
                other = f", beside the {np.hypot(rows, cols):.1f} that its folder shares" if shared.length > 0.5 else ""
                yield Fault(kind, item, _told(beside) + other, "", _figures(beside))


def _trust(shift: Shift, longest: float) -> float:
    """Confidence that a shift is a fault: relief and towns lean by a few pixels of their own, so that one under twice
    ``longest`` has to be surer, eight times at ``longest`` itself."""
    return shift.confidence * min(1.0, shift.length / (2 * longest)) ** 3


def _told(shift: Shift) -> str:
    down, right = "lower" if shift.rows > 0 else "higher", "right" if shift.cols > 0 else "left"
    steps = [(abs(shift.rows), down), (abs(shift.cols), f"further {right}")]
    told = " and ".join(f"{n:.1f} pixels {where}" for n, where in steps if n >= 0.05)
    return f"the optical image lies {told} than the SAR image"


def _figures(shift: Shift) -> dict[str, float | int | str]:
    numbers = {"rows": shift.rows, "cols": shift.cols, "pixels": shift.length, "confidence": shift.confidence}
    return {name: round(value, 2) for name, value in numbers.items()}
