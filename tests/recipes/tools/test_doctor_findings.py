"""Findings: their states, and probes that fail."""

from __future__ import annotations

import os

from rsforge.recipes.tools import doctor_findings as findings


def test_only_findings_that_are_not_ok_have_a_remedy():
    assert findings.report_ok_if(True, "a", "mend it") == findings.report_ok("a")
    assert findings.report_ok_if(False, "a", "mend it") == {"state": "warn", "found": "a", "fix": "mend it"}
    assert findings.report_missing("a", "get it") == {"state": "missing", "found": "a", "fix": "get it"}


def test_a_probe_that_fails_is_a_warning():
    def broken() -> findings.Finding:
        raise OSError("no such thing\nand more")

    found = findings.run_probe(broken)
    assert found["state"] == "warn" and found["found"] == "could not be examined: OSError: no such thing"
    assert findings.run_probe(lambda: findings.report_ok("well")) == findings.report_ok("well")
    assert findings.describe_error(KeyError()) == "KeyError: "


def test_figures_of_the_machine():
    assert findings.format_gib(3 * 2**29) == "1.5 GiB"
    assert 1 <= findings.count_processors() <= (os.cpu_count() or 1)
