"""Cubes and captioned images."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from rsforge.cli.main import run
from tests.worlds.caption_extraction import LINE, encode_picture, write_captioned
from tests.worlds.commands import command
from tests.worlds.spectral_cubes import (
    draw_cube,
    write_envi,
)


@pytest.fixture
def cubes(tmp_path: Path) -> Path:
    for k in range(3):
        write_envi(tmp_path / "in" / f"flight_{k}_img", draw_cube(k))
    return tmp_path / "in"


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return write_captioned(
        tmp_path / "x.parquet", [encode_picture(k) for k in range(5)], [[f"scene {k}", f"again {k}"] for k in range(5)]
    )


@pytest.fixture
def extract(capsys):
    def call(line: str, *paths: object, code: int = 0) -> dict:
        assert run(command(LINE + line, *paths)) == code
        result = capsys.readouterr()
        return json.loads(result.out if code == 0 else result.err.splitlines()[-1]) | {"err": result.err}

    return call
