"""``rsforge data captions-to-jsonl``: a table of captions as JSON lines."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import zip_longest
from pathlib import Path
from typing import Any

from rsforge import durable
from rsforge.data.captions.tables import EXTRACT, Line, json_line, read_lines
from rsforge.data.captions.token_counts import LIMIT, counter
from rsforge.data.io.safe_paths import inside
from rsforge.errors import RsforgeError
from rsforge.recipes.console import Console
from rsforge.settings.data_captions import CaptionsSettings

NAMED = 5


def convert(settings: CaptionsSettings, show: Console) -> dict[str, Any]:
    """Judge every line, then write; RSF-D007 for lines that are no captions, RSF-U004 for another output."""
    _check(settings)
    judged = _judge(settings, counter(settings.tokenizer), show)
    state = _standing(settings)
    if state == "written" and not show.dry_run:
        settings.output_file.parent.mkdir(parents=True, exist_ok=True)
        with durable.replacing(settings.output_file) as file:
            for line in _lines(settings):
                file.write(line)
    if state == "unchanged":
        show.say(f"unchanged  {settings.output_file} holds these captions already: nothing to do")
    counted = "exactly" if settings.tokenizer else "at least, by words"
    return {"state": state, **judged, "tokens_counted": counted, "output_file": str(settings.output_file)}


def _check(settings: CaptionsSettings) -> None:
    for option, path in (("--caption-file", settings.caption_file), ("--tokenizer", settings.tokenizer)):
        if path and settings.output_file.resolve() == path.resolve():
            found = str(settings.output_file)
            raise RsforgeError("RSF-U005", f"the output is the input {option}", where="--output-file", found=found)


def _judge(settings: CaptionsSettings, tokens: Callable[[str], int], show: Console) -> dict[str, int]:
    captions = over = 0
    bad: list[str] = []
    for line in _judged(settings):
        captions, over = captions + (not line.reason), over + (not line.reason and tokens(line.text) > LIMIT)
        if line.reason:
            bad.append(f"line {line.number}: {line.reason}")
    where = str(settings.caption_file)
    if bad and (settings.on_bad == "error" or not captions):
        found = "; ".join(bad[:NAMED]) + (f"; and {len(bad) - NAMED} more" if len(bad) > NAMED else "")
        old = any("older scripts" in reason for reason in bad)
        fix = EXTRACT if old else ""
        raise RsforgeError("RSF-D007", f"{len(bad)} lines are no captions", where=where, found=found, fix=fix)
    if not captions:
        what = f"there are no captions in {settings.caption_file.name}"
        raise RsforgeError("RSF-D006", what, where=where, fix=EXTRACT)
    for reason in bad:
        show.warn(f"left out {reason}")
    if over:
        least = "" if settings.tokenizer else "at least "
        show.warn(f"{least}{over} of {captions} captions have more than {LIMIT} CLIP tokens")
    return {"captions": captions, "skipped": len(bad), "over_77_tokens": over}


def _judged(settings: CaptionsSettings) -> Iterator[Line]:
    for line in read_lines(settings.caption_file):
        missing = "" if line.reason else _missing(settings, line)
        yield line._replace(reason=missing) if missing else line


def _missing(settings: CaptionsSettings, line: Line) -> str:
    """Why the image of a line cannot be taken: it leads out of its folder, or is missing where one was named."""
    folder = settings.images_dir or settings.output_file.parent
    try:
        path = inside(folder, line.name, where=f"{settings.caption_file.name} line {line.number}")
    except RsforgeError:
        if settings.on_bad == "error":
            raise
        return f"the name {line.name!r} leads out of {folder}"
    there = settings.images_dir is None or path.is_file()
    return "" if there else f"there is no image {line.name!r} in {folder}"


def _lines(settings: CaptionsSettings) -> Iterator[bytes]:
    return (json_line(line.name, line.text).encode() for line in _judged(settings) if not line.reason)


def _standing(settings: CaptionsSettings) -> str:
    """``written`` or ``unchanged``; RSF-U004 when the output is there and says something else."""
    output = settings.output_file
    if settings.overwrite or not output.exists():
        return "written"
    if _same(output, _lines(settings)):
        return "unchanged"
    fix = "replace it with --overwrite, or name another --output-file"
    raise RsforgeError("RSF-U004", f"{output.name} holds something else", where=str(output), fix=fix)


def _same(path: Path, lines: Iterator[bytes]) -> bool:
    with path.open("rb") as file:
        return all(old == new for old, new in zip_longest(file, lines))
