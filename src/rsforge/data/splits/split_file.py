"""``split.json``: the subset of every item, with a digest, so that all commands use the same split."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic, NamedTuple, TypeVar

from rsforge import durable
from rsforge.data.files.digests import json_digest
from rsforge.errors import RsforgeError
from rsforge.wording import join_start

SPLIT_FILE = "split.json"
SUBSETS = ("train", "val", "test")
FORMAT = "rsforge-split"
VERSION = 1
LEAST_IMAGES, LEAST_SCENES = 20, 5
"""Of a side that is held out, where a third one is made: fewer scenes have no interval."""
T = TypeVar("T")
_MAX_BYTES = 1 << 29


class Sides(NamedTuple, Generic[T]):
    """What is trained on, what the best epoch is chosen by, and what judges it: the last may be empty."""

    train: list[T]
    val: list[T]
    test: list[T]

    def by_name(self) -> dict[str, list[T]]:
        """The sides by the names of the subsets."""
        return dict(zip(SUBSETS, self, strict=True))


@dataclass(frozen=True)
class Split:
    """Sorted item names by subset (train, val, test); ``left_out`` are in none; ``facts`` say how it was made of what.

    ``digest`` is the SHA-256 of everything else.
    """

    by: str
    seed: int
    subsets: dict[str, list[str]]
    left_out: list[str] = field(default_factory=list)
    facts: dict[str, Any] = field(default_factory=dict)

    @property
    def digest(self) -> str:
        return json_digest(self._record())

    def _record(self) -> dict[str, Any]:
        head = {"format": FORMAT, "version": VERSION, "by": self.by, "seed": self.seed}
        return {**head, "facts": self.facts, "sides": self.subsets, "left_out": self.left_out}

    def text(self) -> str:
        """The file as text, the same on every machine."""
        return json.dumps({**self._record(), "digest": self.digest}, indent=1, sort_keys=True) + "\n"

    def subset_of(self, names: Iterable[str]) -> list[str | None]:
        """The subset of each name; None for those left out and for unknown ones."""
        subset_of = {name: subset for subset, members in self.subsets.items() for name in members}
        return [subset_of.get(name) for name in names]

    def check(self, names: Iterable[str]) -> None:
        """RSF-D012 unless ``names`` are exactly the items that were divided; it names what is new or gone."""
        known = {*self.left_out, *(name for members in self.subsets.values() for name in members)}
        present = set(names)
        new, gone = sorted(present - known), sorted(known - present)
        differences = []
        if new:
            differences.append(f"{len(new)} not in the split ({join_start(new, 1)})")
        if gone:
            differences.append(f"{len(gone)} no longer there ({join_start(gone, 1)})")
        if differences:
            raise RsforgeError("RSF-D012", "the split was made from other data", found="; ".join(differences))

    def check_contents(self, data_digest: str, contents: Mapping[str, str] | None = None) -> None:
        """RSF-D012 unless the files are those that were divided; ``contents`` are their short digests by name."""
        if self.facts.get("data_digest", data_digest) == data_digest:
            return
        before: dict[str, str] = self.facts.get("contents", {})
        changed = sorted(name for name, digest in (contents or {}).items() if before.get(name, digest) != digest)
        found = f"{len(changed)} ({join_start(changed, 3)})" if changed else f"digest {data_digest[:12]}"
        raise RsforgeError("RSF-D012", "files changed since the split was made", found=found)


def write_split(path: Path, split: Split) -> None:
    """Write ``split`` atomically."""
    durable.write_text(path, split.text())


def load_split(path: Path) -> Split:
    """The split in ``path``; RSF-D012 when it is no split, damaged, or its digest is wrong."""
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise ValueError(f"more than {_MAX_BYTES} bytes")
        record = json.loads(path.read_bytes())
        digest = record.pop("digest")
        split = Split(record["by"], record["seed"], record["sides"], record["left_out"], record["facts"])
        if split._record() != record or digest != split.digest or not _is_valid(split):
            raise ValueError("its digest is not that of its contents, or they make no sense")
    except OSError:
        raise
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise RsforgeError(
            "RSF-D012", "the split file is damaged", where=str(path), found=_describe_damage(error)
        ) from None
    return split


def _describe_damage(error: Exception) -> str:
    if isinstance(error, KeyError):
        return f"it has no {error.args[0]}"
    if isinstance(error, json.JSONDecodeError | UnicodeDecodeError | RecursionError):
        return "it is no JSON"
    return str(error) if isinstance(error, ValueError) else "its parts are of other types than those of a split"


def _is_valid(split: Split) -> bool:
    """Whether the subsets are the three, their members are texts, and every name occurs once."""
    lists = [*split.subsets.values(), split.left_out]
    if not _are_valid_facts(split.facts) or not all(isinstance(members, list) for members in lists):
        return False
    names = [name for members in lists for name in members]
    all_text = all(isinstance(name, str) for name in names)
    return set(split.subsets) == set(SUBSETS) and all_text and len(names) == len(set(names))


def _are_valid_facts(facts: Any) -> bool:
    """Whether the facts that commands use have the right types."""
    types = {"guard": int, "leak": bool, "kind": str, "data_digest": str, "contents": dict}
    return isinstance(facts, dict) and all(type(facts[name]) is kind for name, kind in types.items() if name in facts)
