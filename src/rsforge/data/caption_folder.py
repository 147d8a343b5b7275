"""A folder of captioned images that grows by whole chunks: killed at any moment, it goes on where it was."""

from __future__ import annotations

import errno
import json
import os
import re
from array import array
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from rsforge import durable
from rsforge.data.captions import Mode, json_line, table_line
from rsforge.data.images import SUFFIXES
from rsforge.data.paths import inside
from rsforge.data.tokens import LIMIT
from rsforge.errors import RsforgeError

STATE = "extraction.json"
ROWS = ".extraction.jsonl"
METADATA = "metadata.jsonl"
NAMED = 100  # bad rows named in the state; all are counted
_PICTURES = SUFFIXES | {".webp", ".gif"}
_IMAGE = re.compile(r"image_\d{6,}\.(jpg|png|webp)")

Record = dict[str, Any]


@dataclass
class Summary:
    """What the folder holds, counted over its rows."""

    rows: int = 0
    images: int = 0
    captions: int = 0
    skipped: int = 0
    blank_captions: int = 0
    duplicate_images: int = 0
    over_77_tokens: int = 0
    bad: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class CaptionFolder:
    """Where images, tables and the record of what was done lie; ``source`` is what they are made from, and how."""

    root: Path
    images: Path
    table: Path
    mode: Mode
    source: dict[str, Any]

    @property
    def metadata(self) -> Path:
        return self.root / METADATA

    @property
    def rows(self) -> Path:
        return self.root / ROWS

    def state(self) -> dict[str, Any]:
        """What stands in the record; {} when there is none, RSF-D006 when it is damaged."""
        path = self.root / STATE
        try:
            state = json.loads(path.read_text("utf-8"))
        except FileNotFoundError:
            return {}
        except (ValueError, RecursionError):
            state = None
        if not isinstance(state, dict) or not isinstance(state.get("summary", {}), dict):
            raise _damaged(path)
        return state

    def occupants(self) -> list[str]:
        """Names of files where those of this extraction would stand."""
        tables = [p.name for p in (self.metadata, self.table) if p.exists()]
        inner = [p.name for p in sorted(self.images.glob("*")) if p.suffix.lower() in _PICTURES or p.name == METADATA]
        return list(dict.fromkeys([*tables, *inner]))

    def begin(self) -> None:
        """Record what is made here, before the first image is."""
        self.images.mkdir(parents=True, exist_ok=True)
        self.table.parent.mkdir(parents=True, exist_ok=True)
        durable.write_json(self.root / STATE, {"finished": False, "source": self.source})

    def clear(self) -> None:
        """Remove what an extraction wrote here: its record first, numbered images and tables after it."""
        before = self._recorded_places()
        for path in (self.root / STATE, self.rows, self.metadata):
            path.unlink(missing_ok=True)
        for images, table in {(self.images, self.table), *before}:
            for path in (table, images / METADATA, *images.glob("image_*")):
                if path in (table, images / METADATA) or _IMAGE.fullmatch(path.name):
                    path.unlink(missing_ok=True)

    def _recorded_places(self) -> list[tuple[Path, Path]]:
        """Folder of images and caption table of the extraction that the record tells of."""
        try:
            names = self.state()["source"]["settings"]
            images, table = (inside(self.root, names[key], where=STATE) for key in ("images_dir", "caption_file"))
        except (RsforgeError, KeyError, TypeError):
            return []
        return [(images, table)]

    def whole(self, summary: dict[str, Any]) -> bool:
        """Whether a finished folder still has its images and tables."""
        count = sum(1 for p in self.images.glob("*") if _IMAGE.fullmatch(p.name) and p.stat().st_size)
        tables = (self.metadata, self.table, self.images / METADATA)
        return count == summary.get("images") and all(p.is_file() for p in tables)

    def records(self) -> Iterator[Record]:
        """What was done with each row, in order; a line cut off by a kill is not there."""
        try:
            with self.rows.open("rb") as file:
                for line in file:
                    if line.endswith(b"\n"):
                        yield json.loads(line)
        except FileNotFoundError:
            return
        except ValueError:
            raise _damaged(self.rows) from None

    def append(self, records: list[Record], temporaries: list[Path]) -> None:
        """Commit a chunk: images take their names, then their rows are recorded; all of it or nothing."""
        images = [self.images / record["file"] for record in records if "file" in record]
        try:
            durable.adopt(zip(temporaries, images, strict=True))
            self._record("".join(json.dumps(record, ensure_ascii=False) + "\n" for record in records).encode())
        except BaseException:
            for image in images:
                image.unlink(missing_ok=True)
            raise

    def _record(self, data: bytes) -> None:
        with self.rows.open("ab", buffering=0) as file:
            before = file.tell()
            try:
                durable.before_operation("append")
                if file.write(data) != len(data):
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(self.rows))
                os.fsync(file.fileno())
            except BaseException:
                file.truncate(before)
                raise

    def trim(self) -> None:
        """Take away a line that a killed writer left unfinished."""
        with suppress(FileNotFoundError), self.rows.open("r+b") as file:
            whole = sum(len(line) for line in file if line.endswith(b"\n"))
            file.truncate(whole)

    def write_tables(self, tokens: Callable[[str], int]) -> Summary:
        """Write caption table and metadata of every recorded row, whole or not at all; counts what they hold."""
        summary, digests = Summary(), array("Q")
        with ExitStack() as stack:
            table, metadata = (stack.enter_context(durable.replacing(p)) for p in (self.table, self.metadata))
            for record in self.records():
                summary.rows += 1
                summary.blank_captions += record.get("blank", 0)
                if "bad" in record:
                    summary.skipped += 1
                    summary.bad += [record["bad"]] if len(summary.bad) < NAMED else []
                    continue
                name, texts = record["file"], record["texts"]
                summary.images += 1
                summary.captions += len(texts)
                summary.over_77_tokens += any(tokens(text) > LIMIT for text in texts)
                digests.append(record["digest"])
                table.write("".join(table_line(name, text) for text in texts).encode())
                values = [texts] if self.mode == "all" else texts
                metadata.write("".join(json_line(name, value) for value in values).encode())
        summary.duplicate_images = len(digests) - len(np.unique(digests))
        if self.images.resolve() != self.root.resolve():
            durable.alias(self.metadata, self.images / METADATA)
        return summary

    def finish(self, summary: Summary) -> None:
        """Record that nothing is left to do."""
        durable.write_json(self.root / STATE, {"finished": True, "source": self.source, "summary": vars(summary)})
        self.rows.unlink(missing_ok=True)


def _damaged(path: Path) -> RsforgeError:
    return RsforgeError("RSF-D006", f"{path.name} is damaged", where=str(path), fix="start anew with --overwrite")
