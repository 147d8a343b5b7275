"""What the keys of settings files and of --set mean: options, in their sections or alone, and other programs' keys."""

from __future__ import annotations

import reprlib
from collections.abc import Iterator
from functools import lru_cache
from typing import Any, NamedTuple

from pydantic import BaseModel

from rsforge.cli.config_files import Entry
from rsforge.cli.leaves import Leaf, canonical, leaves, nearest, spellings
from rsforge.settings.file_keys import FileKey, FixedKey
from rsforge.settings.sections import Location


class Problem(NamedTuple):
    """One rejected setting."""

    what: str
    where: str
    found: str = ""

    def __str__(self) -> str:
        return f"{self.what} ({self.found and f'found {self.found}, '}{self.where})"


class Given(NamedTuple):
    """A value for an option, and where it comes from; ``key`` is what another program's file calls it."""

    leaf: Leaf
    value: Any
    origin: str
    key: str = ""


def shortened(value: Any) -> str:
    return value[:80] if isinstance(value, str) and value else reprlib.repr(value)


def understand(model: type[BaseModel], layer: list[Entry], problems: list[Problem]) -> Iterator[Given]:
    """What each entry says; those that mean nothing are added to ``problems``."""
    together: dict[FileKey, list[Entry]] = {}
    for entry in layer:
        loc = tuple(map(canonical, entry.loc))
        meaning = _meanings(model).get(loc)
        if isinstance(meaning, Leaf):
            yield Given(meaning, meaning.read(entry.value), entry.origin)
        elif isinstance(meaning, FileKey):
            together.setdefault(meaning, []).append(entry)
        elif isinstance(meaning, FixedKey):
            _check_fixed(meaning, entry, problems)
        else:
            shown = f"there is no key {'.'.join(entry.loc)}: {_advice(model, loc)}"
            problems.append(Problem(shown, entry.origin, shortened(entry.value)))
    for key, entries in together.items():
        yield from _combined(model, key, entries, problems)


def is_known(model: type[BaseModel], entry: Entry) -> bool:
    """Whether ``entry`` means anything to ``model``."""
    return tuple(map(canonical, entry.loc)) in _meanings(model)


@lru_cache
def _meanings(model: type[BaseModel]) -> dict[Location, Leaf | FileKey | FixedKey]:
    """What each place in a file means: flat names, ``section.key``, and other programs' keys, which go first."""
    meanings: dict[Location, Leaf | FileKey | FixedKey] = {(name,): leaf for name, leaf in spellings(model).items()}
    for leaf in leaves(model).values():
        for section in _sections(model, leaf):
            for key in leaf.keys:
                if meanings.setdefault((section, key), leaf) is not leaf:
                    raise TypeError(f"{model.__name__}: {section}.{key} means two settings")
    for foreign in getattr(model, "file_keys", ()):
        if isinstance(foreign, FileKey) and foreign.option not in leaves(model):
            raise TypeError(f"{model.__name__}: no setting is called {foreign.option}")
        keys = foreign.keys if isinstance(foreign, FileKey) else (foreign.key,)
        for loc in (tuple(key.split(".")) for key in keys):
            meanings[loc] = foreign
            if isinstance(foreign, FileKey) and len(loc) == 1:
                own = _sections(model, leaves(model)[foreign.option])
                meanings |= dict.fromkeys(((section, *loc) for section in own), foreign)
    return meanings


def _sections(model: type[BaseModel], leaf: Leaf) -> list[str]:
    """The sections of a file that may hold ``leaf``: its own, and those that other programs put it into."""
    own = list(leaf.loc[:-1])
    others: dict[str, tuple[str, ...]] = getattr(model, "file_sections", {})
    return own + [name for name, held in others.items() if own and own[0] in held]


def _check_fixed(key: FixedKey, entry: Entry, problems: list[Problem]) -> None:
    # Written so that true is not taken for 1.
    if not any(type(value) is type(entry.value) and value == entry.value for value in key.values):
        problems.append(Problem(f"the key {key.key} {key.reason}", entry.origin, shortened(entry.value)))


def _combined(model: type[BaseModel], key: FileKey, entries: list[Entry], problems: list[Problem]) -> Iterator[Given]:
    origin, name = _joint_origin(entries), ", ".join(".".join(entry.loc) for entry in entries)
    given = {canonical(entry.loc[-1]): entry.value for entry in entries}
    if len(given) < len(entries):
        problems.append(Problem(f"the key {name} is given twice", origin))
        return
    try:
        yield Given(leaves(model)[key.option], key.value(**given), origin, name)
    except ValueError as error:
        found = ", ".join(shortened(value) for value in given.values())
        problems.append(Problem(f"the key {name} {error}", origin, found))


def _joint_origin(entries: list[Entry]) -> str:
    """``file:3,5`` for keys of one file that say one thing together."""
    first, *others = dict.fromkeys(entry.origin for entry in entries)
    file = first.rpartition(":")[0]
    lines = [origin.removeprefix(f"{file}:") for origin in others]
    return ",".join([first, *lines])


def _advice(model: type[BaseModel], loc: Location) -> str:
    """What to do about a key that means nothing."""
    *sections, key = loc
    known = spellings(model)
    elsewhere = next((leaf for leaf in leaves(model).values() if key in leaf.keys), known.get(key))
    if elsewhere is not None:
        return f"it stands in [{elsewhere.loc[0]}]" if len(elsewhere.loc) > 1 else "it stands in no section"
    inside = {place[-1]: place[-1] for place in _meanings(model) if list(place[:-1]) == sections}
    flat = {name: leaf.name for name, leaf in known.items()}
    candidates = {name: name for name in model.model_fields} | flat | inside
    near = nearest(key, list(candidates))
    return f"did you mean {candidates[near]}?" if near else "unknown"
