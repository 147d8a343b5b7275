"""The command tree: the groups there are, and as much of them as a command line needs."""

from __future__ import annotations

from importlib import import_module
from typing import Annotated

import typer

from rsforge import __version__
from rsforge.cli import tools
from rsforge.cli.group import group
from rsforge.cli.help import HELP

EPILOG = (
    "Exit codes: 0 done, 1 a bug, 2 usage or settings, 3 input data, 4 checkpoint, 5 training went wrong, "
    "6 environment, 130 interrupted, 143 terminated. Start with: rsforge demo"
)
# The module rsforge.cli.NAME of a group holds its commands.
GROUPS = {
    "data": "Prepare, cut, check and split data.",
    "clip": "Train and measure text encoders.",
    "vae": "Train, use and evaluate autoencoders.",
    "diffusion": "Train diffusion models.",
    "cyclegan": "Translate SAR to optical images and back in one pass.",
    "hsi": "Predict many bands from those of Landsat.",
    "sample": "Sample images from trained models.",
    "weights": "Find and download published weights.",
    "config": "List, copy, show and check settings.",
}
# Groups that speak of the commands of all others.
WIDE = ("config",)

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


tools.register(app)


def load(words: list[str]) -> typer.Typer:
    """The tree with the group that ``words`` name; the others stand in it by name and help alone.

    Reading the settings of all methods takes longer than the rest of a command that only prints its help.
    """
    named = next((word for word in words if not word.startswith("-")), "")
    wide = named in WIDE and not set(HELP).intersection(words)
    wanted = GROUPS if wide else [name for name in GROUPS if name == named]
    app.registered_groups = []
    for name, text in GROUPS.items():
        inner = import_module(f"rsforge.cli.{name}").app if name in wanted else _closed_group()
        app.add_typer(inner, name=name, help=text)
    return app


def load_all() -> typer.Typer:
    """The whole tree."""
    return load([WIDE[0]])


def _closed_group() -> typer.Typer:
    closed = typer.Typer()
    closed.callback()(lambda: None)
    return closed
