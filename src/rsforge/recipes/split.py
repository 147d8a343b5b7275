"""``rsforge data split``: a data set divided once, for every command that learns or measures."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rsforge.data.contents import data_digest, digests, twins
from rsforge.data.items import Holdings, items_of
from rsforge.data.split_file import SPLIT_FILE, Split, load_split, write_split
from rsforge.data.splits import Wanted
from rsforge.data.splits import divide as divided
from rsforge.errors import RsforgeError
from rsforge.recipes.voice import Voice
from rsforge.settings.data_pairs import PairFields, SplitSettings


def holdings_of(settings: PairFields, show: Voice) -> Holdings:
    """What the data folder holds, with the notes on how it was taken said."""
    holdings = items_of(
        settings.data_dir,
        layout=settings.layout,
        terrains=settings.terrains,
        max_per_terrain=settings.max_per_terrain,
    )
    for note in holdings.notes:
        show.say(f"layout     {note}")
    show.say(f"found      {len(holdings.items)} {'images' if holdings.kind == 'tiles' else holdings.kind}")
    return holdings


def divide(settings: SplitSettings, show: Voice) -> dict[str, Any]:
    """Divide the data set and store who stands where."""
    holdings = holdings_of(settings, show)
    path = settings.output or settings.data_dir / SPLIT_FILE
    if holdings.kind in ("tiles", "captions") and settings.by in ("scene", "patch"):
        show.say("scenes     each image counts as a scene of its own; the same image twice stays on one side")
    if holdings.orphans:
        show.warn(f"{len(holdings.orphans)} files have no partner and are on no side: see `rsforge data audit`")
    with show.progress("hashed", len(holdings.items)) as meter:
        found = digests(holdings.items, meter.step)
    wanted = Wanted(**{name: getattr(settings, name) for name in Wanted.__dataclass_fields__})
    facts = {"kind": holdings.kind, "data_digest": data_digest(found)}
    split = divided(holdings.items, wanted, twins=twins(holdings.items, found), facts=facts)
    if split.facts["leak"]:
        show.warn("the split leaks, as --allow-leak allows: figures of its val and test sides will flatter")
    written = _keep(path, split, overwrite=settings.overwrite, dry_run=show.dry_run)
    return {"split": str(path), "written": written, **_told(split)}


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
