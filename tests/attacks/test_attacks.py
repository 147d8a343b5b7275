"""Every hostile file ends its command in one sentence: no traceback, no hang, no flood, nothing run, read or sent."""

from __future__ import annotations

import itertools

import pytest

from tests.attacks import checkpoints, files, words
from tests.attacks.campaign import Attack, faults_of

KINDS = {"checkpoints": checkpoints.attacks, "files": files.attacks, "words": words.attacks}
SELECTED = 6  # of each kind in the suite; the session `attacks` runs all


def select(attacks: list[Attack], whole: bool) -> list[Attack]:
    """All, or ``SELECTED`` evenly spread ones."""
    return attacks if whole else [attacks[i * len(attacks) // SELECTED] for i in range(SELECTED)]


def test_there_are_hundreds_of_hostile_files_each_under_a_name_of_its_own():
    names = [attack.name for make in KINDS.values() for attack in make()]
    assert len(names) >= 500 and len(set(names)) == len(names)


@pytest.mark.parametrize("kind", KINDS)
def test_no_hostile_file_breaks_a_promise(kind, tmp_path, pytestconfig):
    chosen = select(list(KINDS[kind]()), pytestconfig.getoption("--all-attacks"))
    found = (faults_of(attack, tmp_path / str(i)) for i, attack in enumerate(chosen))
    assert list(itertools.chain.from_iterable(found)) == []
