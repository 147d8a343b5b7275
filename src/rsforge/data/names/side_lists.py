"""The division of a data set as others publish it: a JSON file of lists of file names by subset."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rsforge.data.names.sides import side_of_word
from rsforge.errors import RsforgeError, from_os_error

MOST_BYTES = 1 << 28


def read_side_lists(path: Path) -> dict[str, str]:
    """The subset (train, val, test) of every name, also where the lists lie below a single key.

    RSF-D006 for a file that holds no such lists, or a name in two subsets.
    """
    try:
        if path.stat().st_size > MOST_BYTES:
            raise ValueError(f"more than {MOST_BYTES} bytes")
        lists = _find_lists(json.loads(path.read_bytes()))
    except OSError as error:
        raise from_os_error(error) from error
    except (ValueError, RecursionError) as error:
        raise refuse_lists(path, str(error)[:160]) from None
    sides: dict[str, str] = {}
    for side, names in lists:
        for name in names:
            if sides.setdefault(name, side) != side:
                raise refuse_lists(path, f"{name} is in {sides[name]} and in {side}")
    return sides


def refuse_lists(path: Path, found: str) -> RsforgeError:
    """The error RSF-D006 for a file that states no division."""
    fix = 'write {"train": ["a/s1/1.png", ...], "val": [...], "test": [...]}'
    return RsforgeError("RSF-D006", f"{path} holds no lists of files by subset", where="--sides", found=found, fix=fix)


def _find_lists(record: Any) -> list[tuple[str, list[str]]]:
    """Subsets with their names; ``ValueError`` where there are none."""
    if isinstance(record, Mapping) and len(record) == 1:
        record = next(iter(record.values()))
    if not isinstance(record, Mapping) or not record:
        raise ValueError("no object of lists by subset")
    lists = []
    for word, names in record.items():
        side = side_of_word(word)
        if not side or not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            raise ValueError(f"{word} is no subset with a list of names")
        lists.append((side, names))
    return lists
