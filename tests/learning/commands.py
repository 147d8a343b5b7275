"""Commands of rsforge within the scripts of this folder, and the exit status of figures that miss their aim."""

from __future__ import annotations

import shlex
import sys

from rsforge.cli.main import run

BELOW_AIM = 10
"""No status of a command or of Python: the figures are there, and miss the aim of the script."""


def call(*words: object) -> None:
    """Run a command; the script ends with status 1 where it fails."""
    argv = [str(word) for word in words]
    if code := run(argv):
        sys.exit(f"exit {code}: rsforge {shlex.join(argv)}")
