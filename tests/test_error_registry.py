"""Every code says how the process ends, what happened, and what helps."""

from __future__ import annotations

import re

from rsforge.error_registry import REGISTRY, ExitCode

FAMILIES = {
    "B": {ExitCode.BUG},
    "U": {ExitCode.USAGE},
    "D": {ExitCode.DATA},
    "C": {ExitCode.CHECKPOINT},
    "T": {ExitCode.TRAINING},
    "E": {ExitCode.ENVIRONMENT},
    "I": {ExitCode.INTERRUPTED, ExitCode.TERMINATED},
}


def test_codes_belong_to_the_family_of_their_exit_status():
    for code, kind in REGISTRY.items():
        assert re.fullmatch(r"RSF-[BUDCTEI]\d{3}", code)
        assert kind.exit in FAMILIES[code[4]]
    assert {kind.exit for kind in REGISTRY.values()} == set(ExitCode) - {ExitCode.DONE}


def test_titles_are_clauses_and_remedies_are_sentences():
    for kind in REGISTRY.values():
        assert kind.title and not kind.title.endswith(".")
        assert kind.advice.endswith(".")
