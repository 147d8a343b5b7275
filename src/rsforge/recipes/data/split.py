"""``rsforge data split``: a data set divided once, for every command that learns or measures."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rsforge.data.io.dataset_card import CARD
from rsforge.data.splits.assign import Wanted
from rsforge.data.splits.assign import divide as divided
from rsforge.data.splits.duplicates import brief, data_digest, digests, twins
from rsforge.data.splits.items import Holdings, items_of
from rsforge.data.splits.split_file import SPLIT_FILE, Split, load_split, write_split
from rsforge.errors import RsforgeError
from rsforge.recipes.console import Console
from rsforge.recipes.output_checks import check_writable
from rsforge.settings.data_pairs import PairFields, SplitSettings


def holdings_of(settings: PairFields, show: Console, *, judged: bool = False) -> Holdings:
    """What the data folder holds, with the notes on how it was taken said; tables may be bad where all is judged."""
    holdings = items_of(
        settings.data_dir,
        layout=settings.layout,
        terrains=settings.terrains,
        max_per_terrain=settings.max_per_terrain,
        judged=judged,
    )
    for note in holdings.notes:
        show.say(f"layout     {note}")
    show.say(f"found      {len(holdings.items)} {'images' if holdings.kind == 'tiles' else holdings.kind}")
    return holdings


def warn_of(holdings: Holdings, show: Console) -> None:
    """Say what fits nowhere: how much of it, and the first."""
    for found, what in (
        (holdings.problems + holdings.doubts, "problems"),
        (holdings.orphans, "files without a partner"),
    ):
        if found:
            name, reason = found[0]
            show.warn(f"{len(found)} {what} ({name}: {reason}): see `rsforge data audit`")
    if holdings.strays:
        show.warn(f"{len(holdings.strays)} images belong to nothing found ({holdings.strays[0]})")


def divide(settings: SplitSettings, show: Console) -> dict[str, Any]:
    """Divide the data set and store who stands where."""
    wanted = Wanted(**{name: getattr(settings, name) for name in Wanted.__dataclass_fields__})
    _check_options(settings)
    path = settings.output or settings.data_dir / SPLIT_FILE
    _check_target(path)
    holdings = holdings_of(settings, show)
    _check_finished(holdings)
    if holdings.kind in ("tiles", "captions") and settings.by in ("scene", "patch"):
        show.say("scenes     each image of unknown place counts as a scene of its own; copies stay on one side")
    warn_of(holdings, show)
    with show.progress("hashed", len(holdings.items)) as meter:
        found = digests(holdings.items, meter.step)
    facts = {"kind": holdings.kind, "data_digest": data_digest(found), "contents": brief(found)}
    split = divided(holdings.items, wanted, twins=twins(holdings.items, found), facts=facts)
    if split.facts["leak"]:
        show.warn("the split leaks, as --allow-leak allows: figures of its val and test sides will flatter")
    _warn_of_shares(split, show)
    written = _keep(path, split, overwrite=settings.overwrite, dry_run=show.dry_run)
    return {"split": str(path), "written": written, **_told(split)}


def _check_options(settings: SplitSettings) -> None:
    """RSF-U005 for an option that the way of dividing does not know."""
    for name, by in (("block_size", "block"), ("guard", "block"), ("distance_km", "coordinate")):
        if name in settings.model_fields_set and settings.by != by:
            option = "--" + name.replace("_", "-")
            fix = f"leave {option} out, or divide --by {by}"
            raise RsforgeError("RSF-U005", f"{option} is for --by {by}", where=f"--by {settings.by}", fix=fix)


def _check_target(path: Path) -> None:
    if path.exists() and not path.is_file():
        fix = "name a file with --output"
        raise RsforgeError("RSF-E008", f"{path} is not a regular file and is left alone", where="--output", fix=fix)
    check_writable(path.parent, path.name, "--output")


def _check_finished(holdings: Holdings) -> None:
    for name, reason in holdings.problems:
        if Path(name).name == CARD:
            fix = "run the same `rsforge data tile` again with --overwrite"
            raise RsforgeError("RSF-D013", reason, where=str(holdings.root / name), fix=fix)


def _warn_of_shares(split: Split, show: Console) -> None:
    sided = sum(map(len, split.sides.values()))
    if 3 * len(split.left_out) > sided + len(split.left_out):
        show.warn(
            f"{len(split.left_out)} of {sided + len(split.left_out)} items stand between the sides and are left out"
        )
    for side, asked in split.facts["asked"].items():
        if 2 * (reached := split.facts["reached"][side]) < asked:
            show.warn(f"the {side} side has {reached:.1%} of the items where {asked:.1%} were asked for")


def _keep(path: Path, split: Split, *, overwrite: bool, dry_run: bool) -> bool:
    """Write the split unless it is there already; RSF-U004 when another one is."""
    if path.exists() and not overwrite:
        if _same(path, split):
            return False
        raise RsforgeError(
            "RSF-U004", f"{path} holds another split", where=str(path), fix="replace it with --overwrite"
        )
    if not dry_run:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_split(path, split)
    return not dry_run


def _same(path: Path, split: Split) -> bool:
    try:
        return load_split(path).digest == split.digest
    except RsforgeError:
        return False


def _told(split: Split) -> dict[str, Any]:
    counts = {side: len(names) for side, names in split.sides.items()}
    told = {"by": split.by, "seed": split.seed, **counts, "left_out": len(split.left_out)}
    told |= {f"{side}_share": share for side, share in split.facts["reached"].items() if counts[side]}
    if split.facts["leak"]:
        told |= {"leak": True, "leaks": split.facts["leaks"], "unknown_scenes": split.facts["unknown_scenes"]}
    return told | {"digest": split.digest}
