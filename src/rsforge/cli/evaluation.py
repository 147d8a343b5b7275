"""What every ``evaluate`` gives: its result with a table, also where it ends with an error afterwards."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from rsforge.cli.terminal import TerminalConsole
from rsforge.cli.tree import Result
from rsforge.errors import RsforgeError

S = TypeVar("S")


def give_evaluation(
    recipe: Callable[[S, TerminalConsole], dict[str, Any]],
    table: Callable[[Mapping[str, Any]], str],
    settings: S,
    console: TerminalConsole,
) -> Result:
    """The result of ``recipe``; an error that carries one gets its table too."""
    try:
        data = recipe(settings, console)
    except RsforgeError as error:
        if isinstance(error.result, dict):
            error.result = Result(error.result, table(error.result))
        raise
    return Result(data, table(data))
