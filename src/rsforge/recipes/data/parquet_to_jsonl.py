"""``rsforge data parquet-to-jsonl``: one pass over Parquet files makes a folder of captioned images."""

from __future__ import annotations

import hashlib
import itertools
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, suppress
from pathlib import Path, PurePath
from typing import Any, NamedTuple

from rsforge import durable
from rsforge.data.captions import resize
from rsforge.data.captions.image_folder import ELSEWHERE, METADATA, STATE, CaptionFolder, Record, Summary
from rsforge.data.captions.parquet import Row, Shard, find_shards, open_shard, read_rows
from rsforge.data.captions.tables import chosen
from rsforge.data.captions.token_counts import LIMIT, counter
from rsforge.data.io.image_reader import UnreadableError
from rsforge.data.io.threads import in_threads
from rsforge.errors import RsforgeError, Terminated, from_os_error
from rsforge.recipes.console import Console, Meter
from rsforge.settings.data_captions import ParquetSettings

CHUNK = 64  # images whose names and rows are committed together
AHEAD = 48  # images that are made while a chunk goes to the disk
Count = Callable[[str], int]
SHAPING = ("resolution", "resize_mode", "format", "quality", "captions", "seed", "clip", "images_dir", "caption_file")


class Made(NamedTuple):
    """A row turned into a file that has no final name yet, or the reason why not."""

    row: Row
    reason: str
    code: str
    texts: list[str]
    temporary: Path | None = None


class Done(NamedTuple):
    """How far an extraction has come."""

    rows: int = 0
    images: int = 0


def extract(settings: ParquetSettings, show: Console) -> dict[str, Any]:
    """Extract, resume or leave alone; RSF-D006 tables, RSF-D007 rows, RSF-U004 a folder of others."""
    resize.check_format(settings.format)
    shards = [
        open_shard(path, image=settings.image_column, captions=settings.caption_column)
        for path in find_shards(settings.parquet_path)
    ]
    total = sum(shard.rows for shard in shards)
    if not total:
        fix = "name files that have rows with --parquet-path"
        raise RsforgeError("RSF-D006", "there are no rows to extract", where=settings.parquet_path, fix=fix)
    tokens = counter(settings.tokenizer)
    folder = _folder(settings, shards)
    _check_apart(folder, settings, shards)
    show.say(f"source     {len(shards)} file(s), {total} rows, columns {shards[0].image} and {shards[0].captions}")
    if show.dry_run:
        state = _standing(folder, settings)
        return {"files": [str(s.path) for s in shards], "rows": total, "images": str(folder.images), "state": state}
    settings.output_dir.mkdir(parents=True, exist_ok=True)
    with durable.locked(settings.output_dir):
        state = _standing(folder, settings)
        if state == "unchanged":
            show.say(f"unchanged  {settings.output_dir} holds this extraction already: nothing to do")
            return _told(folder, folder.state()["summary"], settings, state)
        done = _begun(folder, resumed=state == "resumed")
        if done.rows:
            show.say(f"resuming   after {done.rows} of {total} rows, {done.images} images")
        summary = _Extraction(folder, settings, shards, show).run(done, total, tokens)
        _warn(summary, settings, show)
        folder.finish(summary)
    show.say(f'to load    datasets.load_dataset("imagefolder", data_dir="{folder.images}")')
    return _told(folder, vars(summary), settings, state)


def _inner(settings: ParquetSettings, option: str) -> str:
    """Where below the output folder the file or folder of ``option`` is to stand; RSF-U005 when it is elsewhere."""
    name, root = str(getattr(settings, option)), settings.output_dir.resolve()
    path = (root / name).resolve()
    if ".." in PurePath(name).parts or not path.is_relative_to(root):
        where, fix = f"--{option.replace('_', '-')}", "give a name, or a path below --output-dir"
        raise RsforgeError("RSF-U005", "this must lie in the output folder", where=where, found=name, fix=fix)
    return path.relative_to(root).as_posix()


def _check_apart(folder: CaptionFolder, settings: ParquetSettings, shards: list[Shard]) -> None:
    """RSF-U005 when two files of this command are one."""
    own = {folder.metadata, folder.root / STATE, folder.rows, folder.root / durable.LOCK}
    if folder.table in {*own, folder.images / METADATA, folder.root, folder.images}:
        what = "the caption table has the name of another file or folder of this command"
        raise RsforgeError("RSF-U005", what, where="--caption-file", found=settings.caption_file)
    inputs = [shard.path for shard in shards] + ([settings.tokenizer] if settings.tokenizer else [])
    if read := [str(path) for path in inputs if folder.takes(path)]:
        where = str(settings.output_dir)
        raise RsforgeError("RSF-U005", "the output would replace what is read", where=where, found=", ".join(read))


def _folder(settings: ParquetSettings, shards: list[Shard]) -> CaptionFolder:
    inner = {option: _inner(settings, option) for option in ("images_dir", "caption_file")}
    rows = [{"name": s.path.name, "rows": s.rows, "footer": s.digest} for s in shards]
    columns = [[s.image, s.captions] for s in shards]
    options = {name: getattr(settings, name) for name in SHAPING} | inner
    options["clip"] = list(settings.clip or ())
    return CaptionFolder(
        settings.output_dir,
        settings.output_dir / inner["images_dir"],
        settings.output_dir / inner["caption_file"],
        settings.captions,
        {"files": rows, "columns": columns, "settings": options},
    )


def _standing(folder: CaptionFolder, settings: ParquetSettings) -> str:
    """``new``, ``resumed`` or ``unchanged``; RSF-U004 when the folder holds what is not this extraction's."""
    state, fix = folder.state(), "replace it with --overwrite, or name another --output-dir"
    if not state or settings.overwrite:
        if not (names := folder.foreign()):
            return "new"
        what, found, fix = "the output folder holds images or tables of others", ", ".join(names[:4]), ELSEWHERE
    elif state["source"] != folder.source:
        what, found = "the output folder holds another extraction", _differences(state, folder.source)
    elif not state.get("finished"):
        return "resumed"
    elif folder.whole(state):
        return "unchanged"
    else:
        what, found = "the extraction in the output folder is no longer whole", "images or tables were changed"
    raise RsforgeError("RSF-U004", what, where=str(folder.root), found=found, fix=fix)


def _differences(state: dict[str, Any], source: dict[str, Any]) -> str:
    before = state.get("source", {})
    options = before.get("settings", {})
    rows = [f"--{k.replace('_', '-')} was {options.get(k)}, is {v}" for k, v in source["settings"].items()
            if options.get(k) != v]  # fmt: skip
    return "; ".join(rows) or "other Parquet files or columns"


def _begun(folder: CaptionFolder, *, resumed: bool) -> Done:
    """Make the folder ready, and tell what of the work is done."""
    if not resumed:
        folder.clear()
    folder.begin()
    durable.sweep(folder.root)
    folder.trim()
    rows = images = 0
    for record in folder.records():
        rows, images = rows + 1, images + ("file" in record)
    return Done(rows, images)


class _Extraction:
    """The work itself: many images at once, committed in order and in chunks."""

    def __init__(self, folder: CaptionFolder, settings: ParquetSettings, shards: list[Shard], show: Console) -> None:
        self.folder, self.settings, self.shards, self.show = folder, settings, shards, show
        self.images = 0

    def run(self, done: Done, total: int, tokens: Count) -> Summary:
        self.images = done.images
        try:
            with self.show.progress("images", total, done.rows) as meter:
                self._walk(read_rows(self.shards, done.rows), meter)
            summary = self.folder.write_tables(tokens)
        except BaseException as error:
            self._rescue(tokens)
            explained = self._explained(error)
            if explained is error:
                raise
            raise explained from error
        if not summary.images:
            self.folder.clear()
            found = "; ".join(summary.bad[:5])
            raise RsforgeError("RSF-D007", "no row can be used", where=self.settings.parquet_path, found=found)
        return summary

    def _walk(self, rows: Iterable[Row], meter: Meter) -> None:
        workers = self.settings.num_workers or len(os.sched_getaffinity(0))
        with closing(in_threads(self._make, rows, workers, AHEAD)) as made:
            while chunk := list(itertools.islice(_until_bad(made, self.settings.on_bad), CHUNK)):
                refused = chunk.pop() if chunk[-1].reason and self.settings.on_bad == "error" else None
                self._commit(chunk)
                meter.step(len(chunk))
                if refused:
                    raise RsforgeError(refused.code, f"{refused.row.place}: {refused.reason}", where=refused.row.place)

    def _make(self, row: Row) -> Made:
        """Decode, shape and encode one image; its caption chosen."""
        if row.reason:
            return Made(row, row.reason, row.code, [])
        own = self.settings
        captions = [text for text in row.captions if text.strip()]
        temporary = self.folder.images / f"{durable.TEMPORARY}{os.getpid()}-{row.number}"
        try:
            image = resize.squared(row.image, own.resolution, own.resize_mode, own.clip)
        except UnreadableError as error:
            return Made(row, f"the image cannot be read: {error}", "RSF-D007", [])
        resize.save(temporary, image, own.format, own.quality)
        return Made(row, "", "", chosen(captions, own.captions, seed=own.seed, row=row.number), temporary)

    def _commit(self, chunk: list[Made]) -> None:
        records: list[Record] = []
        for made in chunk:
            if made.reason:
                self.show.warn(f"left out {made.row.place}: {made.reason}")
                records.append({"bad": f"{made.row.place}: {made.reason}"})
                continue
            self.images += 1
            record: Record = {
                "file": f"image_{self.images:06d}{resize.SUFFIXES[self.settings.format]}",
                "texts": made.texts,
                "digest": int.from_bytes(hashlib.blake2b(made.row.image, digest_size=8).digest()),
            }
            blank = sum(not text.strip() for text in made.row.captions)
            records.append(record | ({"blank": blank} if blank else {}))
        self.folder.append(records, [made.temporary for made in chunk if made.temporary])

    def _rescue(self, tokens: Count) -> None:
        """What was committed becomes usable as it is, if the disk still lets it; nothing leaves nothing behind."""
        with suppress(OSError):
            durable.sweep(self.folder.root)
            if any("file" in record for record in self.folder.records()):
                self.folder.write_tables(tokens)
            else:
                self.folder.clear()

    def _explained(self, error: BaseException) -> BaseException:
        kept = sum("file" in record for record in self.folder.records())
        captions = "with their captions" if self.folder.metadata.exists() else "whose captions are yet to be written"
        told = f"{kept} images {captions}; the same command goes on after them" if kept else "no image yet"
        if isinstance(error, KeyboardInterrupt):
            code, what = ("RSF-I143", "terminated") if isinstance(error, Terminated) else ("RSF-I130", "interrupted")
            return RsforgeError(code, what, kept=told, fix=self.show.command)
        if isinstance(error, OSError):
            error = from_os_error(error)
            error.fix = f"mend this, then give the same command again: {self.show.command}"
        if isinstance(error, RsforgeError):
            error.kept = error.kept or told
        return error


def _until_bad(made: Iterator[Made], on_bad: str) -> Iterator[Made]:
    """``made`` up to its end, or to the first that is bad where that ends the work."""
    for one in made:
        yield one
        if one.reason and on_bad == "error":
            return


def _warn(summary: Summary, settings: ParquetSettings, show: Console) -> None:
    if summary.over_77_tokens:
        least = "" if settings.tokenizer else "at least "
        show.warn(
            f"{least}{summary.over_77_tokens} of {summary.images} images have a caption over {LIMIT} CLIP tokens, "
            "of which a text encoder reads no more"
        )
    if summary.duplicate_images:
        show.warn(f"{summary.duplicate_images} images are the same as others, byte for byte")
    if summary.blank_captions:
        show.warn(f"{summary.blank_captions} empty captions beside others were left out")


def _told(folder: CaptionFolder, summary: dict[str, Any], settings: ParquetSettings, state: str) -> dict[str, Any]:
    counted = "exactly" if settings.tokenizer else "at least, by words"
    named = [] if state == "unchanged" else summary["bad"][:20]
    facts = {k: v for k, v in summary.items() if k != "bad"}
    return {"state": state, **facts, "tokens_counted": counted, "left_out": named, "data_dir": str(folder.images),
            "captions_file": str(folder.table), "metadata": str(folder.metadata)}  # fmt: skip
