"""How every group of commands behaves."""

from __future__ import annotations

import typer

from rsforge.cli.help import HELP


def group(help: str | None = None, *, epilog: str | None = None, completion: bool = False) -> typer.Typer:
    """A group that shows its help when nothing is asked of it, and answers to -h."""
    return typer.Typer(
        help=help,
        epilog=epilog,
        no_args_is_help=True,
        add_completion=completion,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": list(HELP)},
    )
