"""``split.json``: which item stands on which side, under a hash, so that every command means the same."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rsforge import durable
from rsforge.errors import RsforgeError

SPLIT_FILE = "split.json"
SIDES = ("train", "val", "test")
FORMAT, VERSION = "rsforge-split", 1
_MAX_BYTES = 1 << 29


@dataclass(frozen=True)
class Split:
    """Item names by side (train, val, test), sorted; ``left_out`` stand on none; ``facts`` say how and from what.

    ``digest`` is the SHA-256 over everything else.
    """

    by: str
    seed: int
    sides: dict[str, list[str]]
    left_out: list[str] = field(default_factory=list)
    facts: dict[str, Any] = field(default_factory=dict)

    @property
    def digest(self) -> str:
        return _digest(self._record())

    def _record(self) -> dict[str, Any]:
        head = {"format": FORMAT, "version": VERSION, "by": self.by, "seed": self.seed}
        return {**head, "facts": self.facts, "sides": self.sides, "left_out": self.left_out}

    def text(self) -> str:
        """The file as text, the same on every machine."""
        return json.dumps({**self._record(), "digest": self.digest}, indent=1, sort_keys=True) + "\n"

    def side_of(self, names: Iterable[str]) -> list[str | None]:
        """The side of each name; None for those left out and those it does not know."""
        sides = {name: side for side, members in self.sides.items() for name in members}
        return [sides.get(name) for name in names]

    def check(self, names: Iterable[str]) -> None:
        """RSF-D012, naming what is new or gone, unless the data set has exactly the items that were divided."""
        known, there = {*self.left_out, *(n for members in self.sides.values() for n in members)}, set(names)
        new, gone = sorted(there - known), sorted(known - there)
        if new or gone:
            told = [f"{len(some)} {word} ({some[0]}{', ...' if len(some) > 1 else ''})"
                    for word, some in (("not in the split", new), ("no longer there", gone)) if some]  # fmt: skip
            raise RsforgeError("RSF-D012", "the split was made from other data", found="; ".join(told))

    def check_contents(self, data_digest: str, contents: Mapping[str, str] | None = None) -> None:
        """RSF-D012 unless the files hold what they held when they were divided; ``contents`` by name tell which."""
        if self.facts.get("data_digest", data_digest) != data_digest:
            then: dict[str, str] = self.facts.get("contents", {})
            changed = sorted(n for n, digest in (contents or {}).items() if then.get(n, digest) != digest)
            told = f"{len(changed)} ({', '.join(changed[:3])}{', ...' if len(changed) > 3 else ''})" if changed else ""
            found = told or f"digest {data_digest[:12]}"
            raise RsforgeError("RSF-D012", "files changed since the split was made", found=found)


def _digest(record: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(record, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def write_split(path: Path, split: Split) -> None:
    """Write ``split`` whole or not at all."""
    durable.write_text(path, split.text())


def load_split(path: Path) -> Split:
    """The split in ``path``; RSF-D012 when it is none, damaged, or its hash is not that of what it says."""
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise ValueError(f"more than {_MAX_BYTES} bytes")
        record = json.loads(path.read_bytes())
        found = record.pop("digest")
        split = Split(record["by"], record["seed"], record["sides"], record["left_out"], record["facts"])
        if split._record() != record or found != split.digest or not _sound(split):
            raise ValueError("its digest is not that of its contents, or they make no sense")
    except OSError:
        raise
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise RsforgeError("RSF-D012", "the split file is damaged", where=str(path), found=_damage(error)) from None
    return split


def _damage(error: Exception) -> str:
    if isinstance(error, KeyError):
        return f"it has no {error.args[0]}"
    if isinstance(error, json.JSONDecodeError | UnicodeDecodeError | RecursionError):
        return "it is no JSON"
    return str(error) if isinstance(error, ValueError) else "its parts are of other types than those of a split"


def _sound(split: Split) -> bool:
    """Whether every name is text and stands once."""
    lists = [*split.sides.values(), split.left_out]
    names = [name for members in lists for name in members]
    kinds = _sound_facts(split.facts) and all(isinstance(members, list) for members in lists)
    return kinds and set(split.sides) == set(SIDES) and all(map(_is_text, names)) and len(names) == len(set(names))


def _sound_facts(facts: Any) -> bool:
    """Whether what commands use of the facts is of its type."""
    types = {"guard": int, "leak": bool, "kind": str, "data_digest": str, "contents": dict}
    return isinstance(facts, dict) and all(type(facts[name]) is kind for name, kind in types.items() if name in facts)


def _is_text(name: Any) -> bool:
    return isinstance(name, str)
