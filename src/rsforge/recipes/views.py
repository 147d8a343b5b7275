"""How images are read: the view of a data set from its options, its card or a checkpoint, and what is said of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from rsforge.data.files.walk import describe_unread
from rsforge.data.io.dataset_card import CARD, read_card
from rsforge.data.splits.items import DatasetContents
from rsforge.data.views.settle import Request, Settled, settle_view
from rsforge.data.views.view import PairViews, View
from rsforge.errors import RsforgeError
from rsforge.recipes.console import Console
from rsforge.settings.views import PERCENTILE, PairViewSettings, ViewSettings
from rsforge.wording import agree, count_noun

VIEW = "view"
VIEWS = "views"
"""Keys of a card and of the images of a checkpoint: the view of single images, and those of pairs."""
NAMED = 4


def settle_single(root: Path, files: Sequence[Path], data: ViewSettings, console: Console) -> View:
    """The view of the images ``files`` below ``root``; what was decided is said."""
    stored = View.from_dict(read_card(root).get(VIEW, {}), where=str(root / CARD))
    settled = settle_view(files, _request(data, data.bands, stored), "optical")
    _say(settled, "images", console)
    return settled.view


def settle_pairs(
    root: Path,
    sar: Sequence[Path],
    optical: Sequence[Path],
    data: PairViewSettings,
    console: Console,
    stored: PairViews | None = None,
) -> PairViews:
    """The views of the SAR and optical images of a data set; what was decided is said.

    What no option says is that of ``stored``, the views of a checkpoint, else of the data set's card.
    """
    if stored is not None and not (data.bands or data.sar_bands or data.range or data.fill is not None):
        return stored
    stored = stored or PairViews.from_dict(read_card(root).get(VIEWS, {}), where=str(root / CARD))
    request = Request(data.sar_bands, None, data.fill, stored.sar)
    of_sar = settle_view(sar, request, "sar")
    _say(of_sar, "sar", console)
    of_optical = settle_view(optical, _request(data, data.bands, stored.optical), "optical")
    _say(of_optical, "optical", console)
    return PairViews(of_sar.view, of_optical.view)


def say_gaps(gaps: Sequence[bool], noun: str, console: Console) -> None:
    """Say how many images or pairs hold no data in some pixels, and what that means."""
    if count := sum(gaps):
        some = f"{count} of {count_noun(len(gaps), noun)} {agree(count, 'holds', 'hold')} no data in some pixels"
        console.say(f"gaps       {some}: black, and not counted by losses and figures of images")


def _request(data: ViewSettings, bands: tuple[str, ...], stored: View) -> Request:
    if data.range == (PERCENTILE,):
        return Request(bands, "percentile", data.fill, stored)
    span = (float(data.range[0]), float(data.range[1])) if data.range else None
    return Request(bands, span, data.fill, stored)


def _say(settled: Settled, what: str, console: Console) -> None:
    for note in settled.notes:
        console.say(f"{what:<10} {note}")
    for warning in settled.warnings[:NAMED]:
        console.warn(f"{what}: {warning}")


def view_items(contents: DatasetContents, data: PairViewSettings, console: Console) -> DatasetContents:
    """The contents with the views of its items, settled for each set of pairs by itself.

    RSF-U005 where options say of patches of cubes how images are read.
    """
    if contents.kind == "patches":
        _refuse_of_patches(data)
        return contents
    if contents.kind != "pairs":
        files = [item.paths[0] for item in contents.items]
        view = settle_single(contents.root, files, data, console)
        return replace(contents, items=[replace(item, views=(view,)) for item in contents.items])
    items = []
    for root in contents.sets or [contents.root]:
        inside = [item for item in contents.items if root == contents.root or root in item.paths[0].parents]
        sar, optical = [item.paths[0] for item in inside], [item.paths[1] for item in inside]
        seen = settle_pairs(root, sar, optical, data, console)
        items += [replace(item, views=(seen.sar, seen.optical)) for item in inside]
    return replace(contents, items=items)


def _refuse_of_patches(data: PairViewSettings) -> None:
    """Patches of cubes are read as they are stored, by everything that reads them."""
    said = {"--bands": data.bands, "--sar-bands": data.sar_bands, "--range": data.range}
    given = [name for name, value in said.items() if value] + ["--fill"] * (data.fill is not None)
    if given:
        what = "patches of cubes are read as they are stored, and these are options of images"
        fix = "leave it out; `rsforge data hsi-patches --fill VALUE` leaves a value out where cubes are cut"
        raise RsforgeError("RSF-U005", what, where=", ".join(given), fix=fix)


def settle_as_trained(state: Mapping[str, Any], files: Sequence[Path], data: ViewSettings, console: Console) -> View:
    """The view of single images as a checkpoint has it, but for what the options say."""
    stored = View.from_dict(_read_stored(state, VIEW), where="the checkpoint")
    if not (data.bands or data.range or data.fill is not None):
        return stored
    settled = settle_view(files, _request(data, data.bands, stored), "optical")
    _say(settled, "images", console)
    return settled.view


def views_of(state: Mapping[str, Any]) -> PairViews:
    """How pairs were read for a checkpoint; those of before this was stored took bands as they were."""
    stored = _read_stored(state, VIEWS)
    if stored == {"as_stored": True}:
        return PairViews(View(as_stored=True), View(as_stored=True))
    return PairViews.from_dict(stored, where="the checkpoint")


def choose_of(view: View, bands: tuple[str, ...], fill: float | None) -> View:
    """``view`` with the bands and the fill value that somebody names for images to draw from."""
    if bands:
        view = replace(view, bands=bands, as_stored=False)
    return view if fill is None else replace(view, fill=fill)


def _read_stored(state: Mapping[str, Any], key: str) -> dict[str, Any]:
    stored = state.get("images", {}).get(key)
    if stored is not None:
        return dict(stored)
    settings = state.get("settings", {}).get("data", {})
    return {"as_stored": True} if settings and "fill" not in settings else {}


def describe_view(view: View) -> dict[str, Any]:
    """A view as a checkpoint stores it beside the identity of its images: nothing where it is the plain one."""
    return {VIEW: view.as_dict()} if view.as_dict() else {}


def describe_views(views: PairViews) -> dict[str, Any]:
    """The views of pairs as a checkpoint stores them: nothing where both are plain."""
    return {VIEWS: views.as_dict()} if any(views.as_dict().values()) else {}


def warn_of_unread(names: Sequence[str], console: Console) -> None:
    """Warn of images of kinds that are not read."""
    if names:
        console.warn(f"left out {describe_unread(names)}")
