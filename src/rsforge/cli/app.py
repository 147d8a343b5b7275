"""The command tree."""

from __future__ import annotations

from typing import Annotated

import typer

from rsforge import __version__
from rsforge.cli import config, cyclegan, data, diffusion, sample, tools, vae
from rsforge.cli.group import group

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


app.add_typer(data.app, name="data")
app.add_typer(vae.app, name="vae")
app.add_typer(diffusion.app, name="diffusion")
app.add_typer(cyclegan.app, name="cyclegan")
app.add_typer(sample.app, name="sample")
app.add_typer(config.app, name="config")
tools.register(app)
