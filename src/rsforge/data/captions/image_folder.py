"""A folder of captioned images, extracted in committed chunks: a killed extraction continues after the last one."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import re
import sys
from array import array
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from rsforge import durable
from rsforge.data.captions.tables import Mode, json_line, table_line
from rsforge.data.clip_tokenizer import LIMIT
from rsforge.data.files.digests import file_digest
from rsforge.data.files.safe_paths import resolve_inside
from rsforge.data.io.image_reader import SUFFIXES
from rsforge.data.io.threads import map_in_threads
from rsforge.errors import RsforgeError
from rsforge.unicode_text import encode_json

STATE = "extraction.json"
ROWS = ".extraction.jsonl"
METADATA = "metadata.jsonl"
SPLIT = "split.json"  # beside the images, where their source states sides
ELSEWHERE = "name another --output-dir, or move what is there away"
NAMED = 100  # bad rows listed in the state; all are counted
_IMAGE_SUFFIXES = SUFFIXES | {".webp", ".gif"}
_IMAGE = re.compile(r"image_(\d{6,})\.(jpg|png|webp)")

Record = dict[str, Any]


@dataclass
class Summary:
    """Counts over the rows of an extraction."""

    rows: int = 0
    images: int = 0
    captions: int = 0
    skipped: int = 0
    blank_captions: int = 0
    duplicate_images: int = 0
    repeated_captions: int = 0
    captions_in_lists: int = 0
    over_77_tokens: int = 0
    bad: list[str] = field(default_factory=list)
    sides: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class CaptionFolder:
    """Paths of images, tables and the record of finished rows; ``source`` describes the input and the options."""

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

    def read_state(self) -> dict[str, Any]:
        """The contents of the state file, {} for none; RSF-D006 when damaged, RSF-U004 when of another kind."""
        path = self.root / STATE
        try:
            state = json.loads(path.read_text("utf-8"))
        except FileNotFoundError:
            return {}
        except (ValueError, RecursionError):
            state = None
        if not isinstance(state, dict) or not _has_sections(state):
            raise _damage_error(path, f"name another --output-dir, or remove {STATE} and what was extracted beside it")
        if "source" not in state:
            raise RsforgeError("RSF-U004", f"{STATE} is not of an extraction", where=str(path), fix=ELSEWHERE)
        return state

    def find_foreign(self) -> list[str]:
        """Names of existing files that this extraction would overwrite and no recorded extraction wrote."""
        own = set(self.list_written())
        inner = (p for p in sorted(self.images.glob("*")) if p.suffix.lower() in _IMAGE_SUFFIXES or p.name == METADATA)
        candidates = dict.fromkeys((self.metadata, self.table, *inner))
        return [p.name for p in candidates if p.exists() and p not in own]

    def list_written(self) -> list[Path]:
        """Images and tables of the recorded extraction; nothing when there is none."""
        try:
            state = self.read_state()
            names = state["source"]["settings"]
            images, table = (
                resolve_inside(self.root, names[key], where=STATE) for key in ("images_dir", "caption_file")
            )
            last = state["summary"]["images"] if state.get("finished") else sys.maxsize
        except (RsforgeError, KeyError, TypeError, AttributeError):
            return []
        numbered = ((p, _IMAGE.fullmatch(p.name)) for p in sorted(images.glob("image_*")))
        split = [images / SPLIT] if state.get("summary", {}).get("sides") else []
        return [table, self.metadata, images / METADATA, *split, *(p for p, n in numbered if n and int(n[1]) <= last)]

    def would_replace(self, path: Path) -> bool:
        """Whether this extraction would write or remove ``path``."""
        path = path.resolve()
        tables = (self.root / STATE, self.rows, self.metadata, self.table, self.images / METADATA)
        image = path.parent == self.images.resolve() and _IMAGE.fullmatch(path.name)
        return bool(image) or path in {p.resolve() for p in (*tables, *self.list_written())}

    def begin(self) -> None:
        """Make the folders and write the state, before the first image is written."""
        self.images.mkdir(parents=True, exist_ok=True)
        self.table.parent.mkdir(parents=True, exist_ok=True)
        durable.write_json(self.root / STATE, {"finished": False, "source": self.source})

    def clear(self) -> None:
        """Remove the files of the recorded extraction; the state last, so that no file is left without one."""
        for path in (*self.list_written(), self.rows, self.root / STATE):
            path.unlink(missing_ok=True)

    def is_complete(self, state: dict[str, Any]) -> bool:
        """Whether all images and tables of a finished extraction are as they were written.

        States of before know only their sizes.
        """
        if "contents" in state:
            return bool(state["contents"] == self._digest_files(file_digest))
        return bool(state.get("sizes") == self._digest_files(lambda path: str(path.stat().st_size)))

    def _digest_files(self, describe: Callable[[Path], str]) -> str:
        """A digest of the names and descriptions of all images and tables."""
        images = (p for p in sorted(self.images.glob("image_*")) if _IMAGE.fullmatch(p.name))
        files = [self.table, self.metadata, self.images / METADATA, *images]
        described = map_in_threads(lambda path: describe(path) if path.is_file() else "missing", files)
        listing = "".join(f"{path.name} {words}\n" for path, words in zip(files, described, strict=True))
        return hashlib.sha256(listing.encode()).hexdigest()

    def read_records(self) -> Iterator[Record]:
        """The records of finished rows, in order; an incomplete last line is skipped."""
        try:
            with self.rows.open("rb") as file:
                for line in file:
                    if line.endswith(b"\n"):
                        yield json.loads(line)
        except FileNotFoundError:
            return
        except ValueError:
            raise _damage_error(self.rows) from None

    def commit_chunk(self, records: list[Record], temporaries: list[Path]) -> None:
        """Rename the temporary images of a chunk, then append their records; on an error neither stays."""
        images = [self.images / record["file"] for record in records if "file" in record]
        try:
            durable.commit_files(zip(temporaries, images, strict=True))
            lines = (json.dumps(record, ensure_ascii=False) + "\n" for record in records)
            self._append_records(encode_json("".join(lines)))
        except BaseException:
            for image in images:
                image.unlink(missing_ok=True)
            raise

    def _append_records(self, data: bytes) -> None:
        with self.rows.open("ab", buffering=0) as file:
            before = file.tell()
            try:
                durable.before_operation("append")
                if file.write(data) != len(data):
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(self.rows))
                durable.flush(file.fileno(), self.rows)
            except BaseException:
                file.truncate(before)
                raise

    def drop_partial_line(self) -> None:
        """Remove an incomplete last record that a killed process left."""
        with suppress(FileNotFoundError), self.rows.open("r+b") as file:
            complete = sum(len(line) for line in file if line.endswith(b"\n"))
            file.truncate(complete)

    def write_tables(self, tokens: Callable[[str], int]) -> Summary:
        """Write the caption table and metadata of every recorded row atomically; returns the counts.

        Sides are written only where rows stand on several.
        """
        summary = Summary()
        sides = Counter(record["split"] for record in self.read_records() if record.get("split"))
        summary.sides = dict(sides) if len(sides) > 1 else {}
        digests = array("Q")
        with ExitStack() as stack:
            table = stack.enter_context(durable.open_atomic(self.table))
            metadata = stack.enter_context(durable.open_atomic(self.metadata))
            for record in self.read_records():
                summary.rows += 1
                summary.blank_captions += record.get("blank", 0)
                summary.repeated_captions += record.get("repeated", 0)
                summary.captions_in_lists += record.get("listed", 0)
                if "bad" in record:
                    summary.skipped += 1
                    if len(summary.bad) < NAMED:
                        summary.bad.append(record["bad"])
                    continue
                name, texts = record["file"], record["texts"]
                summary.images += 1
                summary.captions += len(texts)
                summary.over_77_tokens += any(tokens(text) > LIMIT for text in texts)
                digests.append(record["digest"])
                table.write("".join(table_line(name, text) for text in texts).encode())
                values = [texts] if self.mode == "all" else texts
                source, side = record.get("source", ""), record.get("split", "") if summary.sides else ""
                metadata.write(encode_json("".join(json_line(name, value, source, side) for value in values)))
        summary.duplicate_images = len(digests) - len(np.unique(digests))
        if self.images.resolve() != self.root.resolve():
            durable.link_or_copy(self.metadata, self.images / METADATA)
        return summary

    def finish(self, summary: Summary) -> None:
        """Write the state of a finished extraction and remove the records of rows."""
        state = {"finished": True, "source": self.source, "summary": vars(summary)}
        state["contents"] = self._digest_files(file_digest)
        durable.write_json(self.root / STATE, state)
        self.rows.unlink(missing_ok=True)


def _has_sections(state: dict[str, Any]) -> bool:
    return all(isinstance(state.get(name, {}), dict) for name in ("source", "summary"))


def _damage_error(path: Path, fix: str = "start anew with --overwrite") -> RsforgeError:
    return RsforgeError("RSF-D006", f"{path.name} is damaged", where=str(path), fix=fix)
