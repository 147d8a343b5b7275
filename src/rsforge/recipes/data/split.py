"""``rsforge data split``: a data set is divided once, for all commands that train or measure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from rsforge import leftovers
from rsforge.data.io.dataset_card import CARD
from rsforge.data.names.side_lists import read_side_lists, refuse_lists
from rsforge.data.splits.assign import divide as divide_items
from rsforge.data.splits.contents import find_contents
from rsforge.data.splits.duplicates import data_digest, digest_items, duplicate_groups, shorten_digests
from rsforge.data.splits.items import DatasetContents, Item
from rsforge.data.splits.shared_pixels import list_groups
from rsforge.data.splits.split_file import SPLIT_FILE, Split, load_split, write_split
from rsforge.data.splits.split_request import SplitRequest
from rsforge.data.splits.tiles import check_unknown_scenes
from rsforge.errors import RsforgeError
from rsforge.recipes.console import Console
from rsforge.recipes.output_checks import check_writable
from rsforge.recipes.shared_pixels import search_shared_pixels, summarise_shared_pixels
from rsforge.settings.data_pairs import PairFields, SplitSettings
from rsforge.wording import agree, count_noun


def read_contents(settings: PairFields, console: Console, *, collect_problems: bool = False) -> DatasetContents:
    """The contents of the data folder, after a report; bad tables raise unless they are collected."""
    contents = find_contents(
        settings.data_dir,
        layout=settings.layout,
        terrains=settings.terrains,
        max_per_terrain=settings.max_per_terrain,
        collect_problems=collect_problems,
    )
    for note in contents.notes:
        console.say(f"layout     {note}")
    console.say(f"found      {len(contents.items)} {'images' if contents.kind == 'tiles' else contents.kind}")
    return contents


def warn_of_problems(contents: DatasetContents, console: Console) -> None:
    """Warn of problems, orphans and unclaimed files: their number, and the first."""
    for findings, what in (
        (contents.problems + contents.warnings, "problems"),
        (contents.orphans, "files without a partner"),
    ):
        if findings:
            name, reason = findings[0]
            console.warn(f"{len(findings)} {what} ({name}: {reason}): see `rsforge data audit`")
    if contents.unclaimed_files:
        count = len(contents.unclaimed_files)
        belong = agree(count, "belongs", "belong")
        console.warn(f"{count_noun(count, 'image')} {belong} to nothing found ({contents.unclaimed_files[0]})")


def divide(settings: SplitSettings, console: Console) -> dict[str, Any]:
    """Divide the data set and write the split; RSF-D011 when it would leak, RSF-U004 when another split is there."""
    request = SplitRequest(
        by=settings.by,
        val=settings.val,
        test=settings.test,
        seed=settings.seed,
        block_size=settings.block_size,
        guard=settings.guard,
        distance_km=settings.distance_km,
        allow_leak=settings.allow_leak,
    )
    _check_options(settings)
    path = settings.output or settings.data_dir / SPLIT_FILE
    _check_target(path)
    contents = read_contents(settings, console)
    _check_finished(contents)
    if settings.sides is not None:
        contents = take_sides(contents, settings.sides, console)
    request = replace(request, by=_choose_way(settings, contents, console))
    of_its_own = any(item.scene == item.name for item in contents.items)
    if contents.kind in ("tiles", "captions") and request.by in ("scene", "patch") and of_its_own:
        console.say("scenes     each image of unknown place counts as a scene of its own; copies stay in one subset")
    warn_of_problems(contents, console)
    with console.progress("hashed", len(contents.items)) as meter:
        digests = digest_items(contents.items, meter.step)
    duplicates = duplicate_groups(contents.items, digests)
    shared = search_shared_pixels(contents.items, digests, console, wanted=settings.overlap_by_content)
    if request.by == "scene" and not request.allow_leak:
        check_unknown_scenes(contents.items, list_groups(shared))
    facts: dict[str, Any] = {"kind": contents.kind, "data_digest": data_digest(digests)}
    facts |= {"contents": shorten_digests(digests)}
    if shared:
        facts |= {"shared_pixels": summarise_shared_pixels(shared)}
    split = divide_items(contents.items, request, duplicates=duplicates, shared=shared, facts=facts)
    if split.facts["leak"]:
        reason = "as its source states it" if split.by == "stated" else "as --allow-leak allows"
        if split.facts["leaks"].get("scene") or split.facts["leaks"].get("overlap"):
            reason += ", with patches of the same scenes on both sides"
        console.warn(f"the split leaks, {reason}: figures of val and test will be too good")
    _warn_of_shares(split, console)
    written = _write_unless_same(path, split, overwrite=settings.overwrite, dry_run=console.dry_run)
    return {"split": str(path), "written": written, **_summarise(split)}


def _choose_way(settings: SplitSettings, contents: DatasetContents, console: Console) -> str:
    """What to divide by: where the source states sides and no way was typed, they are kept."""
    sides = ", ".join(f"{count} {side}" for side, count in contents.sides.items())
    if settings.sides is not None:
        console.say(f"sides      {sides}, as {settings.sides} states")
        return "stated"
    if sides and not {"by", "val", "test"} & settings.model_fields_set:
        console.say(f"sides      {sides}, as the source states: they are kept (--by scene divides anew)")
        return "stated"
    if sides and settings.by != "stated":
        console.warn(f"the source states sides ({sides}), which --by {settings.by} mixes: --by stated keeps them")
    return settings.by


def _check_options(settings: SplitSettings) -> None:
    """RSF-U005 for a typed option that the way of dividing does not use."""
    typed = [name for name in ("by", "val", "test") if name in settings.model_fields_set]
    if settings.sides is not None and typed and (typed != ["by"] or settings.by != "stated"):
        what = "the file of --sides says what is in which subset"
        raise RsforgeError("RSF-U005", what, where=f"--{typed[0]}", fix=f"leave --{typed[0]} out")
    for name, by in (("block_size", "block"), ("guard", "block"), ("distance_km", "coordinate")):
        if name in settings.model_fields_set and settings.by != by:
            option = "--" + name.replace("_", "-")
            fix = f"leave {option} out, or divide --by {by}"
            raise RsforgeError("RSF-U005", f"{option} is for --by {by}", where=f"--by {settings.by}", fix=fix)


def take_sides(contents: DatasetContents, path: Path, console: Console) -> DatasetContents:
    """The same items with the sides that the file at ``path`` states, none for those that it does not name.

    RSF-D004 where it names none of the items.
    """
    sides = read_side_lists(path)
    items = [replace(item, side=_find_side(item, contents.root, sides, path)) for item in contents.items]
    known = sum(bool(item.side) for item in items)
    if not known:
        what, found = f"{path} names none of the {len(items)} items", next(iter(sides), "no name")
        raise RsforgeError("RSF-D004", what, where="--sides", found=found, fix=f"name files as below {contents.root}")
    if known < len(items):
        console.warn(f"{count_noun(len(items) - known, 'item')} of no stated side: in no subset")
    if known < len(sides):
        console.warn(f"{path} names {len(sides)} items, of which {known} are here: this is not its whole division")
    return replace(contents, items=items)


def _find_side(item: Item, root: Path, sides: Mapping[str, str], path: Path) -> str:
    """The side of an item by the names of its files, or its own; RSF-D006 where its files are in two subsets."""
    names = [item.name, *(file.relative_to(root).as_posix() for file in item.paths if file.is_relative_to(root))]
    found = sorted({sides[name] for name in names if name in sides})
    if len(found) > 1:
        raise refuse_lists(path, f"files of {item.name} are in {' and in '.join(found)}")
    return found[0] if found else ""


def _check_target(path: Path) -> None:
    if path.exists() and not path.is_file():
        fix = "name a file with --output"
        raise RsforgeError("RSF-E008", f"{path} is not a regular file and is left alone", where="--output", fix=fix)
    check_writable(path.parent, path.name, "--output")


def _check_finished(contents: DatasetContents) -> None:
    """RSF-D013 for a data set that ``rsforge data tile`` did not finish."""
    for name, reason in contents.problems:
        if Path(name).name == CARD:
            fix = "run the same `rsforge data tile` again with --overwrite"
            raise RsforgeError("RSF-D013", reason, where=str(contents.root / name), fix=fix)


def _warn_of_shares(split: Split, console: Console) -> None:
    """Warn when more than a third is left out, or a subset has less than half of the share asked for."""
    left_out = len(split.left_out)
    total = sum(map(len, split.subsets.values())) + left_out
    if 3 * left_out > total:
        lie = agree(
            left_out, "overlaps the guard zone between subsets and is", "overlap the guard zone between subsets and are"
        )
        console.warn(f"{left_out} of {count_noun(total, 'item')} {lie} left out")
    for subset, asked in split.facts["asked"].items():
        reached = split.facts["reached"][subset]
        if 2 * reached < asked:
            console.warn(f"the subset {subset} has {reached:.1%} of the items where {asked:.1%} were asked for")


def _write_unless_same(path: Path, split: Split, *, overwrite: bool, dry_run: bool) -> bool:
    """Write the split and return True, unless it exists or for a dry run; RSF-U004 when another one exists."""
    if path.exists() and not overwrite:
        if _is_stored(path, split):
            return False
        what = f"{path} holds another split"
        fix = "replace it with --overwrite"
        raise RsforgeError("RSF-U004", what, where=str(path), fix=fix)
    if dry_run:
        return False
    path.parent.mkdir(parents=True, exist_ok=True)
    leftovers.sweep_for([path])
    write_split(path, split)
    return True


def _is_stored(path: Path, split: Split) -> bool:
    try:
        return load_split(path).digest == split.digest
    except RsforgeError:
        return False


def _summarise(split: Split) -> dict[str, Any]:
    counts = {subset: len(names) for subset, names in split.subsets.items()}
    summary = {"by": split.by, "seed": split.seed, **counts, "left_out": len(split.left_out)}
    summary |= {f"{subset}_share": share for subset, share in split.facts["reached"].items() if counts[subset]}
    if "shared_pixels" in split.facts:
        summary |= {"shared_pixels": split.facts["shared_pixels"]}
    if split.facts["leak"]:
        summary |= {"leak": True, "leaks": split.facts["leaks"], "unknown_scenes": split.facts["unknown_scenes"]}
    return summary | {"digest": split.digest}
