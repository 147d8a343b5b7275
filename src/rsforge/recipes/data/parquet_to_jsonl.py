"""``rsforge data parquet-to-jsonl``: Parquet files are extracted to a folder of captioned images."""

from __future__ import annotations

from pathlib import PurePath
from typing import Any

from rsforge import durable, leftovers
from rsforge.data.captions import resize
from rsforge.data.captions.image_folder import ELSEWHERE, METADATA, STATE, CaptionFolder, Summary
from rsforge.data.captions.parquet import Shard, find_shards, find_unknown_sides, open_shard
from rsforge.data.captions.token_counts import make_counter
from rsforge.data.clip_tokenizer import LIMIT
from rsforge.errors import RsforgeError
from rsforge.recipes.console import Console
from rsforge.recipes.data.parquet_extraction import Extraction, Progress
from rsforge.recipes.data.stated_sides import write_sides
from rsforge.settings.data_captions import ParquetSettings
from rsforge.wording import agree, count_noun, join_first

SHAPING = ("resolution", "resize_mode", "format", "quality", "captions", "seed", "clip", "images_dir", "caption_file")
"""The options that determine the contents of the output."""


def extract(settings: ParquetSettings, console: Console) -> dict[str, Any]:
    """Extract, resume, or report that nothing is left; RSF-D006 for bad files, RSF-D007 rows, RSF-U004 other output."""
    resize.check_format(settings.format)
    shards = [
        open_shard(path, image=settings.image_column, captions=settings.caption_column, name=settings.name_column)
        for path in find_shards(settings.parquet_path)
    ]
    total = sum(shard.rows for shard in shards)
    if not total:
        fix = "name files that have rows with --parquet-path"
        raise RsforgeError("RSF-D006", "there are no rows to extract", where=settings.parquet_path, fix=fix)
    count_tokens = make_counter(settings.tokenizer)
    folder = _make_folder(settings, shards)
    _check_apart(folder, settings, shards)
    counts = f"{count_noun(len(shards), 'file')}, {count_noun(total, 'row')}"
    console.say(f"source     {counts}, columns {shards[0].image} and {shards[0].captions}")
    column, told = find_unknown_sides(shards[0].path)
    if column:
        console.warn(
            f"column {column} holds {join_first(told, 3)}, which are no sides: it is not kept; train, val and test are"
        )
    if console.dry_run:
        state = _find_state(folder, settings)
        return {"files": [str(s.path) for s in shards], "rows": total, "images": str(folder.images), "state": state}
    settings.output_dir.mkdir(parents=True, exist_ok=True)
    with durable.lock_folder(settings.output_dir):
        state = _find_state(folder, settings)
        if state == "unchanged":
            folder.rows.unlink(missing_ok=True)  # of a run that was killed after all was written
            console.say(f"unchanged  {settings.output_dir} holds this extraction already: nothing to do")
            return _summarise(folder, folder.read_state()["summary"], settings, state)
        done = _begin(folder, resumed=state == "resumed")
        if done.rows:
            console.say(
                f"resuming   after {done.rows} of {count_noun(total, 'row')}, {count_noun(done.images, 'image')}"
            )
        summary = Extraction(folder, settings, shards, console).run(done, total, count_tokens)
        _warn_of_summary(summary, settings, console)
        write_sides(folder, summary, console)
        folder.finish(summary)
    console.say(f'to load    datasets.load_dataset("imagefolder", data_dir="{folder.images}")')
    return _summarise(folder, vars(summary), settings, state)


def _relative_path(settings: ParquetSettings, option: str) -> str:
    """The path of ``option`` relative to the output folder; RSF-U005 when it leads out of it."""
    name = str(getattr(settings, option))
    root = settings.output_dir.resolve()
    path = (root / name).resolve()
    if ".." in PurePath(name).parts or not path.is_relative_to(root):
        where = f"--{option.replace('_', '-')}"
        fix = "give a name, or a path below --output-dir"
        raise RsforgeError("RSF-U005", "this must lie in the output folder", where=where, found=name, fix=fix)
    return path.relative_to(root).as_posix()


def _check_apart(folder: CaptionFolder, settings: ParquetSettings, shards: list[Shard]) -> None:
    """RSF-U005 when a file of the output is also another one, or an input."""
    own = {folder.metadata, folder.root / STATE, folder.rows, folder.root / durable.LOCK}
    if folder.table in {*own, folder.images / METADATA, folder.root, folder.images}:
        what = "the caption table has the name of another file or folder of this command"
        raise RsforgeError("RSF-U005", what, where="--caption-file", found=settings.caption_file)
    inputs = [shard.path for shard in shards]
    if settings.tokenizer:
        inputs.append(settings.tokenizer)
    replaced = [str(path) for path in inputs if folder.would_replace(path)]
    if replaced:
        where = str(settings.output_dir)
        found = ", ".join(replaced)
        raise RsforgeError("RSF-U005", "the output would replace what is read", where=where, found=found)


def _make_folder(settings: ParquetSettings, shards: list[Shard]) -> CaptionFolder:
    """The output folder, with a description of input and options by which a later run recognises it."""
    paths = {option: _relative_path(settings, option) for option in ("images_dir", "caption_file")}
    files = [{"name": shard.path.name, "rows": shard.rows, "footer": shard.digest} for shard in shards]
    # Records of before know two columns: a third stands there only where it is read.
    columns = [[name for name in (shard.image, shard.captions, shard.name) if name] for shard in shards]
    options = {name: getattr(settings, name) for name in SHAPING} | paths
    options["clip"] = list(settings.clip or ())
    return CaptionFolder(
        root=settings.output_dir,
        images=settings.output_dir / paths["images_dir"],
        table=settings.output_dir / paths["caption_file"],
        mode=settings.captions,
        source={"files": files, "columns": columns, "settings": options},
    )


def _find_state(folder: CaptionFolder, settings: ParquetSettings) -> str:
    """``new``, ``resumed`` or ``unchanged``; RSF-U004 when the folder holds anything but this extraction."""
    state = folder.read_state()
    where = str(folder.root)
    fix = "replace it with --overwrite, or name another --output-dir"
    if not state or settings.overwrite:
        foreign = folder.find_foreign()
        if not foreign:
            return "new"
        what = "the output folder holds images or tables of others"
        found = ", ".join(foreign[:4])
        raise RsforgeError("RSF-U004", what, where=where, found=found, fix=ELSEWHERE)
    if state["source"] != folder.source:
        what = "the output folder holds another extraction"
        found = _describe_differences(state, folder.source)
        raise RsforgeError("RSF-U004", what, where=where, found=found, fix=fix)
    if not state.get("finished"):
        return "resumed"
    if folder.is_complete(state):
        return "unchanged"
    what = "the extraction in the output folder is no longer whole"
    found = "images or tables were changed"
    raise RsforgeError("RSF-U004", what, where=where, found=found, fix=fix)


def _describe_differences(state: dict[str, Any], source: dict[str, Any]) -> str:
    before = state.get("source", {}).get("settings", {})
    differences = []
    for name, value in source["settings"].items():
        if before.get(name) != value:
            differences.append(f"--{name.replace('_', '-')} was {before.get(name)}, is {value}")
    return "; ".join(differences) or "other Parquet files or columns"


def _begin(folder: CaptionFolder, *, resumed: bool) -> Progress:
    """Prepare the folder for new rows; returns the rows that are finished."""
    if not resumed:
        folder.clear()
    folder.begin()
    leftovers.sweep(folder.root)
    folder.drop_partial_line()
    rows = images = 0
    for record in folder.read_records():
        rows += 1
        images += "file" in record
    return Progress(rows, images)


def _warn_of_summary(summary: Summary, settings: ParquetSettings, console: Console) -> None:
    if summary.over_77_tokens:
        least = "" if settings.tokenizer else "at least "
        long, images = summary.over_77_tokens, count_noun(summary.images, "image")
        console.warn(
            f"{least}{long} of {images} {agree(long, 'has', 'have')} a caption over {LIMIT} CLIP tokens, "
            "of which a text encoder reads no more"
        )
    if summary.duplicate_images:
        same = summary.duplicate_images
        console.warn(f"{count_noun(same, 'image')} {agree(same, 'is', 'are')} the same as others, byte for byte")
    if summary.repeated_captions:
        repeated = count_noun(summary.repeated_captions, "caption")
        console.warn(f"{repeated} {agree(summary.repeated_captions, 'repeats', 'repeat')} another of the same image")
    if summary.captions_in_lists:
        console.say(
            f"lists      captions of {count_noun(summary.captions_in_lists, 'row')} stand as the text of a list: split"
        )
    if summary.blank_captions:
        console.warn(f"{summary.blank_captions} empty captions beside others were left out")


def _summarise(folder: CaptionFolder, summary: dict[str, Any], settings: ParquetSettings, state: str) -> dict[str, Any]:
    counts = {name: value for name, value in summary.items() if name != "bad"}
    return {
        "state": state,
        **counts,
        "tokens_counted": "exactly" if settings.tokenizer else "at least, by words",
        "left_out": [] if state == "unchanged" else summary["bad"][:20],
        "data_dir": str(folder.images),
        "captions_file": str(folder.table),
        "metadata": str(folder.metadata),
    }
