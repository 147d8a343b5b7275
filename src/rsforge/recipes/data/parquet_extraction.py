"""The extraction of captioned images from Parquet files: images are encoded in threads and committed in chunks."""

from __future__ import annotations

import hashlib
import itertools
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import NamedTuple

from rsforge import durable, leftovers
from rsforge.data.captions import resize
from rsforge.data.captions.image_folder import CaptionFolder, Record, Summary
from rsforge.data.captions.parquet import ParquetRow, Shard, read_rows
from rsforge.data.captions.tables import choose_captions
from rsforge.data.io.image_reader import UnreadableError
from rsforge.data.io.threads import map_in_threads
from rsforge.errors import RsforgeError, Terminated, from_os_error
from rsforge.recipes.console import Console, Meter
from rsforge.settings.data_captions import ParquetSettings
from rsforge.wording import count_noun

CHUNK = 64  # images that are renamed and recorded together
AHEAD = 48  # images that are encoded while a chunk is written to the disk
CountTokens = Callable[[str], int]


class EncodedImage(NamedTuple):
    """A row as an image file under a temporary name, or why it cannot be used; ``row`` is without its bytes."""

    row: ParquetRow
    reason: str
    code: str
    texts: list[str]
    temporary: Path | None = None
    digest: int = 0


class Progress(NamedTuple):
    """The number of finished rows, and of images among them."""

    rows: int = 0
    images: int = 0


class Extraction:
    """One run of an extraction: images are encoded in threads, and committed in the order of their rows."""

    def __init__(self, folder: CaptionFolder, settings: ParquetSettings, shards: list[Shard], console: Console) -> None:
        self.folder = folder
        self.settings = settings
        self.shards = shards
        self.console = console
        self.images = 0

    def run(self, done: Progress, total: int, count_tokens: CountTokens) -> Summary:
        """Extract the rows after ``done`` and write the tables; RSF-D007 when no row can be used.

        On any error the committed images get their tables, and the error says how many there are.
        """
        self.images = done.images
        try:
            with self.console.progress("images", total, done.rows) as meter:
                self._extract_rows(read_rows(self.shards, done.rows), meter)
            summary = self.folder.write_tables(count_tokens)
        except BaseException as error:
            self._rescue(count_tokens)
            explained = self._explain(error)
            if explained is error:
                raise
            raise explained from error
        if not summary.images:
            self.folder.clear()
            found = "; ".join(summary.bad[:5])
            raise RsforgeError("RSF-D007", "no row can be used", where=self.settings.parquet_path, found=found)
        return summary

    def _extract_rows(self, rows: Iterable[ParquetRow], meter: Meter) -> None:
        workers = self.settings.num_workers or len(os.sched_getaffinity(0))
        stop_at_bad = self.settings.on_bad == "error"
        pending = map_in_threads(self._encode, rows, workers, AHEAD, weight=lambda row: len(row.image))
        with closing(pending) as encoded:
            images = _take_until_bad(encoded) if stop_at_bad else encoded
            while chunk := list(itertools.islice(images, CHUNK)):
                bad = chunk.pop() if chunk[-1].reason and stop_at_bad else None
                self._commit(chunk)
                meter.step(len(chunk))
                if bad is not None:
                    raise RsforgeError(bad.code, f"{bad.row.place}: {bad.reason}", where=bad.row.place)

    def _encode(self, row: ParquetRow) -> EncodedImage:
        """Decode, resize and encode one image, and choose its captions."""
        if row.reason:
            return EncodedImage(row, row.reason, row.code, [])
        own = self.settings
        # A chunk of rows waits to be committed: their bytes together may be any size.
        bare, digest = row._replace(image=b""), int.from_bytes(hashlib.blake2b(row.image, digest_size=8).digest())
        captions = [text for text in row.captions if text.strip()]
        temporary = self.folder.images / f"{durable.TEMPORARY}{os.getpid()}-{row.number}"
        try:
            image = resize.decode_square(row.image, own.resolution, own.resize_mode, own.clip)
        except UnreadableError as error:
            return EncodedImage(bare, f"the image cannot be read: {error}", "RSF-D007", [])
        resize.save_image(temporary, image, own.format, own.quality)
        texts = choose_captions(captions, own.captions, seed=own.seed, row=row.number)
        return EncodedImage(bare, "", "", texts, temporary, digest)

    def _commit(self, chunk: list[EncodedImage]) -> None:
        """Give the images of a chunk their numbers and record its rows."""
        records: list[Record] = []
        for encoded in chunk:
            if encoded.reason:
                self.console.warn(f"left out {encoded.row.place}: {encoded.reason}")
                records.append({"bad": f"{encoded.row.place}: {encoded.reason}"})
                continue
            self.images += 1
            record: Record = {
                "file": f"image_{self.images:06d}{resize.SUFFIXES[self.settings.format]}",
                "texts": encoded.texts,
                "digest": encoded.digest,
            }
            blank = sum(not text.strip() for text in encoded.row.captions)
            if blank:
                record["blank"] = blank
            filled = [text.strip() for text in encoded.row.captions if text.strip()]
            repeated = len(filled) - len(set(filled))
            facts = {"source": encoded.row.source, "split": encoded.row.side, "repeated": repeated}
            record |= {name: fact for name, fact in facts.items() if fact}
            record |= {"listed": 1} if encoded.row.listed else {}
            records.append(record)
        self.folder.commit_chunk(records, [encoded.temporary for encoded in chunk if encoded.temporary])

    def _rescue(self, count_tokens: CountTokens) -> None:
        """Write the tables of the committed images if the disk allows it; without any image the folder is cleared."""
        with suppress(OSError):
            leftovers.sweep(self.folder.root)
            if self._count_images():
                self.folder.write_tables(count_tokens)
            else:
                self.folder.clear()

    def _count_images(self) -> int:
        return sum("file" in record for record in self.folder.read_records())

    def _explain(self, error: BaseException) -> BaseException:
        """The error for the user: what is safe, and that the same command continues."""
        images = self._count_images()
        kept = "no image yet"
        if images:
            captions = (
                "with their captions" if self.folder.metadata.exists() else "whose captions are yet to be written"
            )
            kept = f"{count_noun(images, 'image')} {captions}; the same command goes on after them"
        if isinstance(error, Terminated):
            return RsforgeError("RSF-I143", "terminated", kept=kept, fix=self.console.command)
        if isinstance(error, KeyboardInterrupt):
            return RsforgeError("RSF-I130", "interrupted", kept=kept, fix=self.console.command)
        if isinstance(error, OSError):
            error = from_os_error(error)
            error.fix = f"mend this, then give the same command again: {self.console.command}"
        if isinstance(error, RsforgeError) and not error.kept:
            error.kept = kept
        return error


def _take_until_bad(images: Iterator[EncodedImage]) -> Iterator[EncodedImage]:
    """The images up to and including the first that cannot be used."""
    for image in images:
        yield image
        if image.reason:
            return
