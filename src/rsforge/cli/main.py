"""The entry point: argv in, one result on stdout or one error on stderr, and an exit code out."""

from __future__ import annotations

import contextlib
import os
import shlex
import signal
import sys
import time
import traceback
from pathlib import Path
from types import FrameType
from typing import Any, TextIO

from rsforge.cli.app import load, load_all
from rsforge.cli.argv import expand, locate, name_command
from rsforge.cli.failures import interruption, to_failure
from rsforge.cli.help import set_help_width
from rsforge.cli.remedy import keep_possible_ways, list_options
from rsforge.cli.render import as_json, block, error_json, escape, lines, paint_block
from rsforge.cli.sources import nearest_variable, unknown_variables
from rsforge.cli.terminal import TerminalConsole
from rsforge.cli.tree import COMMAND_LINE, COMMANDS, Result
from rsforge.compat import share_processors
from rsforge.error_registry import ExitCode
from rsforge.errors import RsforgeError, Terminated
from rsforge.launch_variables import read_launch
from rsforge.process_protocol import TORCHRUN, die_with_parent, exit_folder

WAIT_FOR_FIRST_S = 5.0


def main(argv: list[str] | None = None) -> None:
    """Run the command line and leave the process with its exit code."""
    words = sys.argv[1:] if argv is None else argv
    share_processors()
    _heed_signals()
    code = run(words) if _enroll() else int(ExitCode.TERMINATED)
    _leave_word(code)
    sys.exit(code)


def _heed_signals() -> None:
    """Let SIGTERM end a command as SIGINT does; processes of a launcher die at once, as it expects of them."""
    if exit_folder() is None and signal.getsignal(signal.SIGTERM) == signal.SIG_DFL:
        signal.signal(signal.SIGTERM, _terminate)
    if signal.getsignal(signal.SIGINT) == signal.default_int_handler:
        signal.signal(signal.SIGINT, _interrupt)


def _terminate(number: int, frame: FrameType | None) -> None:
    signal.signal(number, signal.SIG_DFL)  # a second one ends the process at once
    COMMAND_LINE.stopped_by = Terminated()
    raise COMMAND_LINE.stopped_by


def _interrupt(number: int, frame: FrameType | None) -> None:
    COMMAND_LINE.stopped_by = KeyboardInterrupt()
    raise COMMAND_LINE.stopped_by


def _enroll() -> bool:
    """Let the launcher of several processes know whom to signal; whether it still lives."""
    folder = exit_folder()
    if folder is None:
        return True
    die_with_parent()
    with contextlib.suppress(OSError):
        (folder / f"{_rank()}.{os.getpid()}").touch()
    return os.environ.get(TORCHRUN, str(os.getppid())) == str(os.getppid())


def _rank() -> int:
    """The rank that the launcher of several processes gave to this one."""
    return int(os.environ.get("RANK", "0"))


def _leave_word(code: int) -> None:
    """Tell the launcher of several processes how this one ended; torchrun itself keeps no exit code."""
    folder = exit_folder()
    if folder is not None:
        with contextlib.suppress(OSError):
            (folder / str(_rank())).write_text(str(code))
        if code:
            _let_first_speak(folder / str(_rank() - int(os.environ.get("LOCAL_RANK", "0"))))


def _let_first_speak(word: Path) -> None:
    # torchrun ends all processes as soon as one has failed; the first may still be saving its work.
    deadline = time.monotonic() + WAIT_FOR_FIRST_S
    while word.parent.exists() and not word.exists() and time.monotonic() < deadline:
        time.sleep(0.05)


def _leave_to_launcher(failure: RsforgeError) -> bool:
    """Whether the launcher of several processes will tell ``failure``, once for all of them."""
    folder = exit_folder()
    if folder is not None:
        with contextlib.suppress(OSError):
            (folder / f"{_rank()}.json").write_text(error_json(failure), "utf-8")
            return True
    return False


def run(argv: list[str]) -> int:
    """Run the command line and return its exit code."""
    COMMAND_LINE.argv, COMMAND_LINE.launch, COMMAND_LINE.stopped_by = list(argv), None, None
    set_help_width()
    own = argv[: argv.index("--")] if "--" in argv else argv
    try:
        app = load_all() if "_RSFORGE_COMPLETE" in os.environ else load(argv)
        command = COMMANDS.get(tuple(locate(name_command(argv))[0]))
        if command is not None and command.method is not None:
            COMMAND_LINE.launch = read_launch()
        if command is not None and command.tunable and not COMMAND_LINE.follows:
            _warn_of_misspelt_variables()
        outcome = app(expand(argv), prog_name="rsforge", standalone_mode=False)
        if isinstance(outcome, int):
            return outcome
        _emit(outcome, "--json" in own)
        return int(ExitCode.DONE)
    except KeyboardInterrupt as error:
        return _fail(interruption(error, shlex.join(["rsforge", *argv])), own)
    except BrokenPipeError:
        _silence(sys.stdout)
        return int(ExitCode.DONE)
    except Exception as error:
        # A library that is interrupted while it is imported raises errors of its own.
        if COMMAND_LINE.stopped_by is not None:
            return _fail(interruption(COMMAND_LINE.stopped_by, shlex.join(["rsforge", *argv])), own)
        return _fail(error, own)


def _warn_of_misspelt_variables() -> None:
    if unknown_variables():
        load_all()  # they may be those of another command
        for name in unknown_variables():
            if near := nearest_variable(name):
                TerminalConsole().warn(f"no command reads {name}; did you mean {near}?")


def _emit(outcome: Any, as_object: bool) -> None:
    if outcome is None or COMMAND_LINE.follows:
        return
    if as_object:
        text = as_json(outcome.data if isinstance(outcome, Result) else outcome)
    else:
        text = outcome.text if isinstance(outcome, Result) else lines(outcome)
    if sys.stdout is not None and text:
        sys.stdout.write(text.rstrip("\n").encode(sys.stdout.encoding, "backslashreplace").decode(sys.stdout.encoding))
        sys.stdout.write("\n")
        sys.stdout.flush()


def _fail(error: BaseException, argv: list[str]) -> int:
    failure = to_failure(error, shlex.join(["rsforge", *argv]))
    failure.fix = keep_possible_ways(failure.fix, list_options(locate(name_command(argv))[0]))
    if "--debug" in argv:
        _write(sys.stderr, escape("".join(traceback.format_exception(error)).rstrip(), keep="\n"))
    if failure.result is not None:
        _emit(failure.result, "--json" in argv)
    if not _leave_to_launcher(failure):
        text = error_json(failure) if "--json" in argv else paint_block(block(failure), sys.stderr)
        _write(sys.stderr, text)
    _silence_if_broken(sys.stdout)
    return int(failure.exit)


def _write(stream: TextIO | None, text: str) -> None:
    try:
        if stream is not None:
            stream.write(text + "\n")
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
