"""How help is shown: ``-h`` the options that most calls need, ``--help`` all of them, as wide as the terminal."""

from __future__ import annotations

import os
import sys
from copy import copy
from typing import Any

from typer.core import TyperCommand, TyperGroup

from rsforge.cli.leaves import Leaf, leaves
from rsforge.cli.tree import COMMAND_LINE, Command, common_options
from rsforge.wording import count_noun

HELP = ("-h", "--help")
FEW = 15  # a command with no more options of its own has no short help
USUAL = ("common_config", "common_dry_run")
UNKNOWN_WIDTH = 120


class HelpfulCommand(TyperCommand):
    """A command whose ``-h`` is short."""

    def format_help(self, ctx: Any, formatter: Any) -> None:
        TyperCommand.format_help(_shorten(self, ctx), ctx, formatter)


class HelpfulGroup(TyperGroup):
    """A group that does something by itself, whose ``-h`` is short."""

    def format_help(self, ctx: Any, formatter: Any) -> None:
        TyperGroup.format_help(_shorten(self, ctx), ctx, formatter)


def _shorten(command: Any, ctx: Any) -> Any:
    """``command`` as its help shows it: whole, or with the usual options alone where ``-h`` was typed."""
    spec: Command | None = getattr(command.callback, "spec", None)
    if "-h" not in COMMAND_LINE.argv or spec is None or len(leaves(spec.model)) <= FEW:
        return command
    usual = {name for name, leaf in leaves(spec.model).items() if is_usual(leaf)}
    short = copy(command)
    short.params = [p for p in command.params if p.name in usual or p.name in USUAL]
    count = len(leaves(spec.model)) + len(common_options(spec))
    short.epilog = f"{ctx.command_path} --help shows all {count_noun(count, 'option')}. {command.epilog or ''}"
    return short


def is_usual(leaf: Leaf) -> bool:
    """Whether most calls need to say it."""
    return leaf.field.is_required() or "made" in leaf.extra or bool(leaf.extra.get("basic"))


def set_help_width() -> None:
    """Make help as wide as the terminal: also that of a pager, which alone sees the terminal then."""
    if "TERMINAL_WIDTH" not in os.environ and not os.environ.get("COLUMNS") and not _is_terminal(sys.stdout):
        os.environ["TERMINAL_WIDTH"] = str(find_width())


def find_width() -> int:
    """The columns of the terminal at standard error or input; where there is none, enough for whole names."""
    for stream in (sys.stderr, sys.stdin):
        if _is_terminal(stream):
            try:
                return os.get_terminal_size(stream.fileno()).columns or UNKNOWN_WIDTH
            except OSError:
                continue
    return UNKNOWN_WIDTH


def _is_terminal(stream: Any) -> bool:
    return stream is not None and stream.isatty()
