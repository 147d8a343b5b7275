"""A folder of captioned images that grows by whole chunks: killed at any moment, it goes on where it was."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import re
import sys
from array import array
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from rsforge import durable
from rsforge.data.captions.tables import Mode, json_line, table_line
from rsforge.data.captions.token_counts import LIMIT
from rsforge.data.io.image_reader import SUFFIXES
from rsforge.data.io.safe_paths import inside
from rsforge.errors import RsforgeError

STATE = "extraction.json"
ROWS = ".extraction.jsonl"
METADATA = "metadata.jsonl"
ELSEWHERE = "name another --output-dir, or move what is there away"
NAMED = 100  # bad rows named in the state; all are counted
_PICTURES = SUFFIXES | {".webp", ".gif"}
_IMAGE = re.compile(r"image_(\d{6,})\.(jpg|png|webp)")

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
        if not isinstance(state, dict) or not all(isinstance(state.get(k, {}), dict) for k in ("source", "summary")):
            raise _damaged(path, f"name another --output-dir, or remove {STATE} and what was extracted beside it")
        if "source" not in state:
            raise RsforgeError("RSF-U004", f"{STATE} is not of an extraction", where=str(path), fix=ELSEWHERE)
        return state

    def foreign(self) -> list[str]:
        """Files where those of this extraction would stand that no recorded one wrote."""
        own = set(self.written())
        inner = (p for p in sorted(self.images.glob("*")) if p.suffix.lower() in _PICTURES or p.name == METADATA)
        there = dict.fromkeys((self.metadata, self.table, *inner))
        return [p.name for p in there if p.exists() and p not in own]

    def written(self) -> list[Path]:
        """Images and tables of the extraction that the record tells of."""
        try:
            state = self.state()
            names = state["source"]["settings"]
            images, table = (inside(self.root, names[key], where=STATE) for key in ("images_dir", "caption_file"))
            last = state["summary"]["images"] if state.get("finished") else sys.maxsize
        except (RsforgeError, KeyError, TypeError, AttributeError):
            return []
        numbered = ((p, _IMAGE.fullmatch(p.name)) for p in sorted(images.glob("image_*")))
        return [table, self.metadata, images / METADATA, *(p for p, n in numbered if n and int(n[1]) <= last)]

    def takes(self, path: Path) -> bool:
        """Whether this extraction would write or remove ``path``, which it may be about to read."""
        path = path.resolve()
        tables = (self.root / STATE, self.rows, self.metadata, self.table, self.images / METADATA)
        image = path.parent == self.images.resolve() and _IMAGE.fullmatch(path.name)
        return bool(image) or path in {p.resolve() for p in (*tables, *self.written())}

    def begin(self) -> None:
        """Record what is made here, before the first image is."""
        self.images.mkdir(parents=True, exist_ok=True)
        self.table.parent.mkdir(parents=True, exist_ok=True)
        durable.write_json(self.root / STATE, {"finished": False, "source": self.source})

    def clear(self) -> None:
        """Remove what the recorded extraction wrote here; its record last, so that a kill leaves none without one."""
        for path in (*self.written(), self.rows, self.root / STATE):
            path.unlink(missing_ok=True)

    def whole(self, state: dict[str, Any]) -> bool:
        """Whether a finished folder still has its images and tables, each of the size that was recorded."""
        return state.get("sizes") == self._sizes()

    def _sizes(self) -> str:
        """A digest of the names and sizes of all images and tables."""
        images = (p for p in sorted(self.images.glob("image_*")) if _IMAGE.fullmatch(p.name))
        files = (self.table, self.metadata, self.images / METADATA, *images)
        told = "".join(f"{p.name} {p.stat().st_size if p.is_file() else 'missing'}\n" for p in files)
        return hashlib.sha256(told.encode()).hexdigest()

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
        state = {"finished": True, "source": self.source, "summary": vars(summary), "sizes": self._sizes()}
        durable.write_json(self.root / STATE, state)
        self.rows.unlink(missing_ok=True)


def _damaged(path: Path, fix: str = "start anew with --overwrite") -> RsforgeError:
    return RsforgeError("RSF-D006", f"{path.name} is damaged", where=str(path), fix=fix)
