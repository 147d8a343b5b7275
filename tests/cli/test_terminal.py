"""Messages and progress."""

from __future__ import annotations

import io
import re
import sys

import pytest

from rsforge.cli import terminal as module
from rsforge.cli.main import run
from rsforge.cli.terminal import TerminalConsole, duration


@pytest.fixture
def clock(monkeypatch):
    now = [0.0]
    monkeypatch.setattr(module.time, "monotonic", lambda: now[0])
    return now


def test_plain_lines_are_the_first_the_last_and_one_every_ten_seconds(capsys, clock):
    with TerminalConsole().progress("step", 100) as progress:
        for i in range(100):
            clock[0] += 1.0
            progress.step(loss=1 / (i + 1), epoch="1/2")
    lines = capsys.readouterr().err.splitlines()
    assert [re.search(r"step (\d+)/100", line)[1] for line in lines] == [
        "1", "11", "21", "31", "41", "51", "61", "71", "81", "91", "100",
    ]  # fmt: skip
    assert lines[1] == "epoch 1/2 step 11/100 loss 0.09091 1.0 it/s eta 1m29s"
    assert "\x1b" not in "".join(lines)


def test_a_resumed_run_counts_from_where_it_was(capsys, clock):
    with TerminalConsole().progress("step", 100, done=50) as progress:
        clock[0] += 2
        progress.step()
    assert capsys.readouterr().err == "step 51/100 0.5 it/s eta 1m38s\n"


def test_the_rate_is_that_of_steps_and_the_estimate_counts_validations_too(capsys, clock):
    with TerminalConsole().progress("step", 4) as progress:
        for _ in range(2):
            clock[0] += 0.5
            progress.step()
        clock[0] += 19.0
        progress.step(0, val="0.1*")
    assert capsys.readouterr().err.splitlines()[-1] == "step 2/4 val 0.1* 2.0 it/s eta 20s"


def test_an_interrupted_progress_tells_its_last_state(capsys, clock):
    with pytest.raises(KeyboardInterrupt), TerminalConsole().progress("step", 100) as progress:
        clock[0] += 1
        progress.step()
        progress.step()
        raise KeyboardInterrupt
    assert capsys.readouterr().err.splitlines()[-1].startswith("step 2/100")


def test_quiet_silences_messages_and_progress_but_not_warnings(capsys):
    console = TerminalConsole(quiet=True)
    console.say("hello")
    with console.progress("step", 1) as progress:
        progress.step(loss=1.0)
    console.warn("careful")
    assert capsys.readouterr().err == "warning: careful\n"


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.mark.parametrize(("variables", "animated"), [({}, True), ({"CI": "1"}, False), ({"TERM": "dumb"}, False)])
def test_bars_are_for_terminals(monkeypatch, variables, animated):
    monkeypatch.delenv("CI", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(sys, "stderr", Terminal())
    console = TerminalConsole()
    with console.progress("step", 2) as progress:
        progress.step(loss=0.5)
        console.say("in [between]")
        progress.step()
    told = sys.stderr.getvalue()
    assert ("\x1b[" in told) is animated
    assert "in [between]" in told and "loss 0.5" in told


def test_no_color_is_respected(monkeypatch):
    monkeypatch.delenv("CI", raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setattr(sys, "stderr", Terminal())
    with TerminalConsole().progress("step", 1) as progress:
        progress.step()
    assert not re.search(r"\x1b\[[0-9;]*3[0-9]", sys.stderr.getvalue())


@pytest.mark.parametrize(("variables", "coloured"), [({}, True), ({"NO_COLOR": "1"}, False), ({"TERM": "dumb"}, False)])
def test_errors_and_warnings_are_coloured_on_a_terminal_alone(monkeypatch, variables, coloured):
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(sys, "stderr", Terminal())
    TerminalConsole().warn("a\x1b[2Jb")
    assert run(["vae", "trrain"]) == 2
    told = sys.stderr.getvalue()
    assert told.startswith("\x1b[1;33mwarning: \x1b[0ma\\x1b[2Jb\n" if coloured else "warning: a\\x1b[2Jb\n")
    assert ("\x1b[1;31merror[RSF-U002]\x1b[0m: " in told) is coloured and ("\x1b" in told) is coloured


def test_what_is_piped_has_no_colour(capsys):
    TerminalConsole().warn("careful")
    run(["vae", "trrain"])
    told = capsys.readouterr().err
    assert told.startswith("warning: careful\nerror[RSF-U002]: ") and "\x1b" not in told


class Broken(io.StringIO):
    def write(self, text):
        raise BrokenPipeError


def test_a_reader_that_left_does_not_end_the_work(monkeypatch):
    monkeypatch.setattr(sys, "stderr", Broken())
    TerminalConsole().say("hello")
    monkeypatch.setattr(sys, "stderr", None)
    TerminalConsole().say("hello")


@pytest.mark.parametrize(("seconds", "text"), [(3, "3s"), (190, "3m10s"), (3599.6, "1h00m"), (7260, "2h01m")])
def test_durations(seconds, text):
    assert duration(seconds) == text
