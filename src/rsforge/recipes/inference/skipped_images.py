"""Images that cannot be used: they stop the command, or are left out and named."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from rsforge.errors import RsforgeError
from rsforge.recipes.console import Console

_OF_ONE_IMAGE = ("RSF-D002", "RSF-D003", "RSF-D009", "RSF-D010")


@dataclass
class SkippedImages:
    """What to do about images that cannot be used, and which were left out; ``empty`` were made of no valid pixel.

    ``codes`` are the errors that concern one image alone.
    """

    console: Console
    on_bad: str
    codes: tuple[str, ...] = _OF_ONE_IMAGE
    images: list[dict[str, str]] = field(default_factory=list)
    empty: list[str] = field(default_factory=list)

    @contextmanager
    def skip_unusable(self, name: str) -> Iterator[None]:
        """Leave an image out that cannot be read, has another shape or other values, where that is wanted."""
        try:
            yield
        except RsforgeError as error:
            if self.on_bad == "error" or error.code not in self.codes:
                raise
            reason = f"{error.what}: {error.found}" if error.found else error.what
            self.images.append({"name": name, "reason": reason})
            self.console.warn(f"left out {reason if name in reason else f'{name}: {reason}'}")

    def check_any(self, jobs: Sequence[object]) -> None:
        """RSF-D001 when no image is left."""
        if not jobs:
            what, fix = f"No images left: none of {len(self.images)} can be used", "the warnings say why of each"
            raise RsforgeError("RSF-D001", what, where="--input", fix=fix)

    def note_empty(self, name: str) -> None:
        """Tell of an image that holds no data at all."""
        self.empty.append(name)
        self.console.warn(f"{name} has no valid pixel, and neither has what is made of it")
