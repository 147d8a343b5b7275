"""The entry point: argv in, one result on stdout or one error on stderr, and an exit code out."""

from __future__ import annotations

import os
import shlex
import sys
import traceback
from pathlib import Path
from typing import Any, TextIO

from rsforge.cli.app import app
from rsforge.cli.argv import expanded
from rsforge.cli.failures import told
from rsforge.cli.render import as_json, block, error_json, escaped, lines
from rsforge.cli.tree import TYPED, Told
from rsforge.errors import ExitCode


def main(argv: list[str] | None = None) -> None:
    """Run the command line and leave the process with its exit code."""
    words = sys.argv[1:] if argv is None else argv
    code = run(words)
    _leave_word(code)
    sys.exit(code)


def _leave_word(code: int) -> None:
    """Tell the launcher of several processes how this one ended; torchrun itself keeps no exit code."""
    if folder := os.environ.get("RSFORGE_EXIT_FOLDER"):
        Path(folder, os.environ.get("RANK", "0")).write_text(str(code))


def run(argv: list[str]) -> int:
    """Run the command line and return its exit code."""
    TYPED.argv = list(argv)
    if sys.stdout is not None and not sys.stdout.isatty():
        # Help that is read by a program or a pager keeps its option names whole.
        os.environ.setdefault("TERMINAL_WIDTH", "120")
    own = argv[: argv.index("--")] if "--" in argv else argv
    try:
        outcome = app(expanded(argv), prog_name="rsforge", standalone_mode=False)
        if isinstance(outcome, int):
            return _left(outcome)
        _emit(outcome, "--json" in own)
        return int(ExitCode.DONE)
    except KeyboardInterrupt:
        return _left(int(ExitCode.INTERRUPTED))
    except BrokenPipeError:
        _silence(sys.stdout)
        return int(ExitCode.DONE)
    except Exception as error:
        return _fail(error, own)


def _left(code: int) -> int:
    if code == ExitCode.INTERRUPTED:
        _write(sys.stderr, "interrupted")
    return code


def _emit(outcome: Any, as_object: bool) -> None:
    if outcome is None or os.environ.get("RANK", "0") != "0":
        return
    if as_object:
        text = as_json(outcome.data if isinstance(outcome, Told) else outcome)
    else:
        text = outcome.text if isinstance(outcome, Told) else lines(outcome)
    if sys.stdout is not None and text:
        sys.stdout.write(text.rstrip("\n").encode(sys.stdout.encoding, "backslashreplace").decode(sys.stdout.encoding))
        sys.stdout.write("\n")
        sys.stdout.flush()


def _fail(error: Exception, argv: list[str]) -> int:
    failure = told(error, shlex.join(["rsforge", *argv]))
    if "--debug" in argv:
        _write(sys.stderr, "".join(traceback.format_exception(error)).rstrip())
    if "--json" in argv:
        _write(sys.stderr, error_json(failure))
    else:
        _write(sys.stderr, block(failure))
    _silence_if_broken(sys.stdout)
    return int(failure.exit)


def _write(stream: TextIO | None, text: str) -> None:
    try:
        if stream is not None:
            stream.write(escaped(text, keep="\n") + "\n")
            stream.flush()
    except OSError:
        _silence(stream)


def _silence_if_broken(stream: TextIO | None) -> None:
    try:
        if stream is not None:
            stream.flush()
    except OSError:
        _silence(stream)


def _silence(stream: TextIO | None) -> None:
    """Let the interpreter's last flush go nowhere instead of failing a second time."""
    if stream is not None:
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
