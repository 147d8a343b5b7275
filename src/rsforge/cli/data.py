"""``rsforge data``: data sets made, checked and divided."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rsforge.cli.bridge import command
from rsforge.cli.group import group
from rsforge.cli.terminal import TerminalConsole
from rsforge.cli.tree import Result
from rsforge.settings.data_captions import CaptionsSettings, ClassesSettings, ParquetSettings
from rsforge.settings.data_cubes import HsiPatchesSettings
from rsforge.settings.data_pairs import AuditSettings, SplitSettings, StatsSettings, TileCutSettings
from rsforge.settings.data_synth import SynthSettings

app = group()


def _find_set(given: Mapping[str, Any]) -> tuple[Mapping[str, Any], str]:
    from rsforge.recipes.data.find_parquet import find_set

    return find_set(given)


@command(
    app,
    "data parquet-to-jsonl",
    ParquetSettings,
    writes=True,
    inputs=_find_set,
    epilog="Example: rsforge data parquet-to-jsonl --parquet-path train.parquet --output-dir rsicd",
)
def parquet_to_jsonl(settings: ParquetSettings, console: TerminalConsole) -> dict[str, Any]:
    """Extract images and captions from Parquet files."""
    from rsforge.recipes.data.parquet_to_jsonl import extract as recipe

    return recipe(settings, console)


@command(
    app,
    "data captions-to-jsonl",
    CaptionsSettings,
    writes=True,
    epilog="Example: rsforge data captions-to-jsonl --caption-file captions.txt --output-file metadata.jsonl",
)
def captions_to_jsonl(settings: CaptionsSettings, console: TerminalConsole) -> dict[str, Any]:
    """Turn a table of captions into JSON lines."""
    from rsforge.recipes.data.captions_to_jsonl import convert as recipe

    return recipe(settings, console)


@command(
    app,
    "data prepare-classes",
    ClassesSettings,
    writes=True,
    epilog="Example: rsforge data prepare-classes --data-dir data/corel --base-dir .",
)
def prepare_classes(settings: ClassesSettings, console: TerminalConsole) -> dict[str, Any]:
    """Sort images by class, with captions."""
    from rsforge.recipes.data.prepare_classes import prepare as recipe

    return recipe(settings, console)


@command(
    app,
    "data tile",
    TileCutSettings,
    writes=True,
    epilog="Example: rsforge data tile --sar scenes --optical scenes --size 256 --output-dir patches",
)
def tile(settings: TileCutSettings, console: TerminalConsole) -> dict[str, Any]:
    """Cut aligned SAR and optical scenes into patches."""
    from rsforge.recipes.data.tile import cut as recipe

    return recipe(settings, console)


@command(app, "data stats", StatsSettings, epilog="Example: rsforge data stats --dataset-path Dataset")
def stats(settings: StatsSettings, console: TerminalConsole) -> Result:
    """Summarise a data set: counts, regions, seasons, sizes, modes, ranges."""
    from rsforge.recipes.data.stats import measure, render_table

    data = measure(settings, console)
    return Result(data, render_table(data))


@command(app, "data audit", AuditSettings, writes=True, epilog="Example: rsforge data audit --data-dir Dataset")
def audit(settings: AuditSettings, console: TerminalConsole) -> dict[str, Any]:
    """Open every file and report every fault, with pictures of the files concerned."""
    from rsforge.recipes.data.audit import judge as recipe

    return recipe(settings, console)


@command(
    app,
    "data split",
    SplitSettings,
    writes=True,
    epilog="Example: rsforge data split --data-dir Dataset --by scene --val 0.2 --test 0.1",
)
def split(settings: SplitSettings, console: TerminalConsole) -> dict[str, Any]:
    """Split a data set into train, validation and test without leaks."""
    from rsforge.recipes.data.split import divide as recipe

    return recipe(settings, console)


@command(
    app,
    "data hsi-patches",
    HsiPatchesSettings,
    writes=True,
    epilog="Example: rsforge data hsi-patches --input scene.hdr --sensor landsat8 --output-dir patches",
)
def hsi_patches(settings: HsiPatchesSettings, console: TerminalConsole) -> Result:
    """Cut hyperspectral cubes into patches, paired with simulated Landsat bands."""
    from rsforge.recipes.data.hsi_patches import cut as recipe
    from rsforge.recipes.data.hsi_patches import describe

    data = recipe(settings, console)
    return Result(data, describe(data))


@command(
    app,
    "data synth",
    SynthSettings,
    writes=True,
    epilog="Example: rsforge data synth --kind pairs --count 16 --size 128 --output-dir world",
)
def synth(settings: SynthSettings, console: TerminalConsole) -> dict[str, Any]:
    """Generate a small synthetic data set of any kind, reproducible from its seed."""
    from rsforge.recipes.data.synth import draw as recipe

    return recipe(settings, console)
