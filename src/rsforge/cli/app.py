"""The command tree."""

from __future__ import annotations

from importlib import import_module
from typing import Annotated

import typer

from rsforge import __version__
from rsforge.cli import tools
from rsforge.cli.group import group

# One line a command group: its module in rsforge.cli, in the order of the help.
GROUPS = (
    "data",
    "vae",
    "diffusion",
    "cyclegan",
    "sample",
    "config",
)
EPILOG = (
    "Exit codes: 0 done, 1 a bug, 2 usage or settings, 3 input data, 4 checkpoint, 5 training went wrong, "
    "6 environment, 130 interrupted, 143 terminated. Start with: rsforge demo"
)

app = group("Generative remote sensing: prepare, train, sample, evaluate and map.", epilog=EPILOG, completion=True)


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"rsforge {__version__}")
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, metavar="", help="Print the version.")
    ] = False,
) -> None:
    pass


for name in GROUPS:
    app.add_typer(import_module(f"rsforge.cli.{name}").app, name=name)
tools.register(app)
