"""``rsforge data captions-to-jsonl``: a table of captions is converted to JSON lines, or with its images to a tar."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from itertools import zip_longest
from typing import Any

from rsforge import durable, leftovers
from rsforge.data.captions.caption_files import CaptionFile, read_caption_file
from rsforge.data.captions.tables import EXTRACT, Line, json_line
from rsforge.data.captions.token_counts import make_counter
from rsforge.data.captions.webdataset import is_tar
from rsforge.data.captions.webdataset_output import CaptionedFile, holds_shard, write_shard
from rsforge.data.clip_tokenizer import LIMIT
from rsforge.data.files.safe_paths import resolve_inside
from rsforge.data.names.sides import are_several
from rsforge.errors import RsforgeError
from rsforge.recipes.console import Console
from rsforge.settings.data_captions import CaptionsSettings
from rsforge.unicode_text import is_unicode
from rsforge.wording import agree, count_noun, join_first

NAMED = 5


def convert(settings: CaptionsSettings, console: Console) -> dict[str, Any]:
    """Check every line, then write; RSF-D007 for lines that are no captions, RSF-U004 for another existing output."""
    _check_paths(settings)
    table = read_caption_file(settings.caption_file)
    if table.sentence:
        console.say(f"table      {table.sentence}")
    counts = _judge_lines(settings, table, make_counter(settings.tokenizer), console)
    state = _find_state(settings, table)
    if state == "written" and not console.dry_run:
        settings.output_file.parent.mkdir(parents=True, exist_ok=True)
        leftovers.sweep_for([settings.output_file])
        with durable.open_atomic(settings.output_file) as file:
            if is_tar(settings.output_file):
                write_shard(file, _list_images(settings, table))
            else:
                file.writelines(_make_lines(settings, table))
    if are_several(table.sides.values()):
        console.say(f"sides      {_describe_sides(table)}: `rsforge data split --by stated` keeps them")
    if state == "unchanged":
        console.say(f"unchanged  {settings.output_file} holds these captions already: nothing to do")
    method = "exactly" if settings.tokenizer else "at least, by words"
    return {"state": state, **counts, "tokens_counted": method, "output_file": str(settings.output_file)}


def _check_paths(settings: CaptionsSettings) -> None:
    """RSF-U005 when the output would replace an input."""
    for option, path in (("--caption-file", settings.caption_file), ("--tokenizer", settings.tokenizer)):
        if path and settings.output_file.resolve() == path.resolve():
            found = str(settings.output_file)
            raise RsforgeError("RSF-U005", f"the output is the input {option}", where="--output-file", found=found)


def _describe_sides(table: CaptionFile) -> str:
    counts = Counter(table.sides.values())
    return ", ".join(f"{counts[side]} {side}" for side in ("train", "val", "test") if counts[side])


def _judge_lines(
    settings: CaptionsSettings, table: CaptionFile, count_tokens: Callable[[str], int], console: Console
) -> dict[str, int]:
    """Counts of usable and skipped lines; RSF-D007 where bad lines are not skipped, RSF-D006 where no line is left."""
    captions = over = 0
    bad: list[str] = []
    distinct: set[tuple[str, str]] = set()
    for line in _judge_images(settings, table):
        if line.reason:
            bad.append(f"line {line.number}: {line.reason}")
        else:
            captions += 1
            distinct.add((line.name, line.text.strip()))
            over += count_tokens(line.text) > LIMIT
    where = str(settings.caption_file)
    if bad and (settings.on_bad == "error" or not captions):
        is_old_form = 2 * sum("older scripts" in reason for reason in bad) > len(bad)
        what = f"{count_noun(len(bad), 'line')} {agree(len(bad), 'is no caption', 'are no captions')}"
        found = join_first(bad, NAMED)
        raise RsforgeError("RSF-D007", what, where=where, found=found, fix=EXTRACT if is_old_form else "")
    if not captions:
        what = f"there are no captions in {settings.caption_file.name}"
        raise RsforgeError("RSF-D006", what, where=where, fix=EXTRACT)
    for reason in bad:
        console.warn(f"left out {reason}")
    if repeated := captions - len(distinct):
        console.warn(
            f"{count_noun(repeated, 'caption')} {agree(repeated, 'repeats', 'repeat')} another of the same image"
        )
    if over:
        least = "" if settings.tokenizer else "at least "
        some = f"{least}{over} of {count_noun(captions, 'caption')} {agree(over, 'has', 'have')}"
        console.warn(f"{some} more than {LIMIT} CLIP tokens")
    return {"captions": captions, "skipped": len(bad), "over_77_tokens": over}


def _judge_images(settings: CaptionsSettings, table: CaptionFile) -> Iterator[Line]:
    """The lines of the table; those whose image cannot be used have a reason too."""
    for line in table.lines:
        reason = line.reason or _find_reason(settings, line)
        yield line._replace(reason=reason)


def _find_reason(settings: CaptionsSettings, line: Line) -> str:
    """Why the image of a line cannot be used: a name that no table takes or that leaves the folder, or no image."""
    if not is_unicode(line.name):
        return "its file name is no Unicode text"
    folder = settings.images_dir or settings.output_file.parent
    try:
        path = resolve_inside(folder, line.name, where=f"{settings.caption_file.name} line {line.number}")
    except RsforgeError:
        if settings.on_bad == "error":
            raise
        return f"the name {line.name!r} leads out of {folder}"
    needed = settings.images_dir is not None or is_tar(settings.output_file)
    if needed and not path.is_file():
        return f"there is no image {line.name!r} in {folder}"
    return ""


def _make_lines(settings: CaptionsSettings, table: CaptionFile) -> Iterator[bytes]:
    sides = table.sides if are_several(table.sides.values()) else {}
    for line in _judge_images(settings, table):
        if not line.reason:
            yield json_line(line.name, line.text, side=sides.get(line.name, "")).encode()


def _list_images(settings: CaptionsSettings, table: CaptionFile) -> Iterator[CaptionedFile]:
    """The images in the order in which the table names them, each with all its captions."""
    sides = table.sides if are_several(table.sides.values()) else {}
    folder = settings.images_dir or settings.output_file.parent
    captions: dict[str, list[str]] = {}
    for line in _judge_images(settings, table):
        if not line.reason:
            captions.setdefault(line.name, []).append(line.text.strip())
    for name, texts in captions.items():
        path = resolve_inside(folder, name, where=settings.caption_file.name)
        yield CaptionedFile(name, path, list(dict.fromkeys(texts)), sides.get(name, ""))


def _find_state(settings: CaptionsSettings, table: CaptionFile) -> str:
    """``written`` when the output has to be written, ``unchanged`` when it exists; RSF-U004 when another one exists."""
    output = settings.output_file
    if settings.overwrite or not output.exists():
        return "written"
    if _holds_same(settings, table):
        return "unchanged"
    fix = "replace it with --overwrite, or name another --output-file"
    raise RsforgeError("RSF-U004", f"{output.name} holds something else", where=str(output), fix=fix)


def _holds_same(settings: CaptionsSettings, table: CaptionFile) -> bool:
    path = settings.output_file
    if is_tar(path):
        return holds_shard(path, _list_images(settings, table))
    with path.open("rb") as file:
        return all(old == new for old, new in zip_longest(file, _make_lines(settings, table)))
