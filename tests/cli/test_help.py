"""Short and whole help, as wide as the terminal."""

from __future__ import annotations

import io
import os
import sys

import pytest

from rsforge.cli import help
from rsforge.cli.tree import COMMANDS


class Terminal(io.StringIO):
    def isatty(self):
        return True

    def fileno(self):
        return 2


@pytest.mark.parametrize("words", [("vae", "train"), ("cyclegan", "evaluate"), ("data", "hsi-patches")])
def test_h_shows_the_usual_options_and_help_all_of_them(shell, words):
    short, whole = shell(*words, "-h").out, shell(*words, "--help").out
    assert len(short.splitlines()) < 45 and len(whole.splitlines()) > 1.4 * len(short.splitlines())
    assert f"rsforge {' '.join(words)} --help shows all" in short and "--help shows all" not in whole
    assert "--output-dir" in short and "--seed" not in short and "--seed" in whole


def test_the_short_help_of_every_command_names_what_it_requires(shell):
    for path, command in COMMANDS.items():
        told = shell(*path, "-h").out
        required = [leaf.option for leaf in help.leaves(command.model).values() if leaf.field.is_required()]
        assert not [option for option in required if option.upper() not in told.upper()], path


def test_bounds_and_aliases_stand_in_brackets(shell):
    told = " ".join(shell("vae", "train", "--help").out.replace("│", " ").split())
    assert "[>=1 <=65536]" in told and "[also --lr]" in told and "[vector | map]" in told


@pytest.mark.parametrize(("terminal", "width"), [(True, 73), (False, 120)])
def test_help_for_a_pager_is_as_wide_as_the_terminal(monkeypatch, terminal, width):
    for name in ("TERMINAL_WIDTH", "COLUMNS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(sys, "stderr", Terminal() if terminal else io.StringIO())
    monkeypatch.setattr(sys, "stdin", io.StringIO())
    monkeypatch.setattr(os, "get_terminal_size", lambda fd: os.terminal_size((73, 20)))
    help.set_help_width()
    assert os.environ.pop("TERMINAL_WIDTH") == str(width)
