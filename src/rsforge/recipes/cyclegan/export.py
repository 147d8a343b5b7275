"""``rsforge cyclegan export``: a generator in formats of other programs, with a description of its values."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from typing import Any

import torch

from rsforge import __version__, durable, leftovers
from rsforge.data.sar.radiometry import EIGHT_BIT, Radiometry
from rsforge.models.interfaces import Translator
from rsforge.recipes.console import Console
from rsforge.recipes.cyclegan.load import GENERATORS, load_generator
from rsforge.recipes.cyclegan.translation import SHARED
from rsforge.recipes.export import write as export_files
from rsforge.recipes.export.formats import FORMATS
from rsforge.recipes.export.network import ExportedNetwork, NetworkInput
from rsforge.recipes.inference.checkpoints import LoadedModel
from rsforge.recipes.output_checks import check_makeable
from rsforge.recipes.training import output_dir
from rsforge.settings.cyclegan import CycleGanExportSettings

Words = dict[str, str]

MIB = 2**20

_TILING = (
    "the network normalises by what it sees: cut images into tiles of {side} x {side}, the side of the training, that "
    "start every {side} - {overlap} pixels; shift the last of a row or column inwards, so that it shares more with the "
    "one before; mirror smaller images at their lower and right edge, the edge itself not repeated; along either axis "
    "tile k weighs r(p - m) * (1 - r(p - n)), where p is the centre of a pixel, m and n are the middles of what it "
    "shares with tile k - 1 and with tile k + 1, and r(d) = sin(pi / 2 * clip(d / {overlap} + 1 / 2, 0, 1)) ** 2, a "
    "raised cosine over {overlap} pixels; at the edges of the image r is 1 and 0; divide the weights of a pixel by "
    "their sum, and multiply those of rows and columns"
)


def export(settings: CycleGanExportSettings, console: Console) -> dict[str, Any]:
    """Write the generator of one direction in every requested format, each compared with it."""
    formats = tuple(dict.fromkeys(settings.formats))
    output = settings.output_dir
    name = GENERATORS[settings.direction]
    export_files.check_free(output, name, overwrite=settings.overwrite)
    check_makeable(output, "the export", "--output-dir")
    export_files.check_packages(formats)
    network, restored = load_generator(settings.checkpoint, torch.device("cpu"), settings.direction)
    card = _describe_generator(settings, network, restored)
    subject = _make_subject(network, card)
    export_files.check_size(subject, formats)
    files = [path.name for path in export_files.list_files(output, name, formats)]
    summary = {
        "output_dir": str(output),
        "files": files,
        "direction": settings.direction,
        "parameters": card["parameters"],
    }
    if console.dry_run:
        return summary
    console.say(f"generator  {name}, {card['parameters']:,} parameters, {settings.direction}")
    output_dir.make(output)
    with durable.lock_folder(output):
        leftovers.sweep_for(export_files.list_files(output, name, list(FORMATS)))
        export_files.check_free(output, name, overwrite=settings.overwrite)
        rows = export_files.write_files(subject, output, name, formats, partial(_describe_export, card), console)
    for row in rows:
        size = row["bytes"] / MIB
        largest = row["largest_difference"]
        console.say(f"{row['format']:<11} {row['file']}, {size:.1f} MiB, differs from the model by {largest:.2g}")
    differences = {row["format"]: row["largest_difference"] for row in rows}
    sizes = {row["format"]: row["sides"] for row in rows}
    return {**summary, "largest_difference": differences, "sides": sizes}


def _describe_generator(settings: CycleGanExportSettings, network: Translator, restored: LoadedModel) -> dict[str, Any]:
    """The facts about the generator that do not depend on the files."""
    state = restored.state
    sar = Radiometry.from_dict(state.get("radiometry"), where=str(settings.checkpoint))
    values = {"sar": sar, "optical": EIGHT_BIT}
    before, after = settings.direction.split("2")
    progress = {key: state["progress"][key] for key in ("epoch", "step")}
    return {
        "made_by": f"rsforge {__version__}",
        "generator": GENERATORS[settings.direction],
        "direction": settings.direction,
        "source": {"checkpoint": settings.checkpoint.name, "weights": restored.digest, **progress},
        "architecture": network.architecture,
        "parameters": sum(p.numel() for p in network.parameters()),
        "image_size": state["image_size"],
        "factor": network.factor,
        "radiometry": sar.as_dict(),
        "input": _describe_images(before, values[before], network.in_channels, _explain_input),
        "output": _describe_images(after, values[after], network.out_channels, _explain_output),
    }


def _make_subject(network: Translator, card: dict[str, Any]) -> ExportedNetwork:
    header = {
        "rsforge": __version__,
        "direction": card["direction"],
        "source_digest": card["source"]["weights"],
        **{key: json.dumps(card[key]) for key in ("architecture", "image_size", "factor", "radiometry")},
        "normalisation": json.dumps({key: card[key] for key in ("input", "output")}),
    }
    return ExportedNetwork(
        network=network,
        inputs=(NetworkInput(card["input"]["name"], (network.in_channels, None, None)),),
        output=card["output"]["name"],
        size=card["image_size"],
        factor=network.factor,
        card=header,
    )


def _describe_images(
    name: str, values: Radiometry, channels: int, words: Callable[[Radiometry, int], Words]
) -> dict[str, Any]:
    """Name, shape, radiometry and formulas of the input or output."""
    facts: dict[str, Any] = {"name": name, "dtype": "float32", "shape": ["batch", channels, "rows", "cols"]}
    facts["range"] = [-1.0, 1.0]
    if name == "optical":
        facts["channels"] = "red, green, blue"
    return facts | values.as_dict() | words(values, channels)


def _explain_input(values: Radiometry, channels: int) -> Words:
    """The formula of ``Radiometry.to_unit``, from the values ``v`` of an image to the input ``x``."""
    words = {
        "formula": "x = 2 * clip((v - low) / (high - low), 0, 1) - 1",
        "no_data": "x = -1 where v is no number, is the nodata value that the file declares, or is left out by its "
        "mask or by an alpha band",
    }
    if values.unit == "linear":
        words["first"] = "v = 10 * log10(v), as low and high are decibels"
    if values.unit == "uint8" and channels == 1:
        words["first"] = "v = 0.299 R + 0.587 G + 0.114 B, rounded, where a picture is in colours"
    return words


def _explain_output(values: Radiometry, channels: int) -> Words:
    """The formula of ``Radiometry.from_unit``, from the output ``y`` to values ``v``, and that to 8 bits."""
    words = {"formula": "v = low + (y + 1) / 2 * (high - low)", "to_8_bit": "round((y + 1) * 127.5)"}
    if values.unit == "linear":
        words["last"] = "v = 10 ** (v / 10), as low and high are decibels"
    return words


def _describe_export(card: dict[str, Any], rows: list[dict[str, Any]]) -> dict[str, Any]:
    """The description in the JSON file of the export."""
    size, factor = card["image_size"], card["factor"]
    return card | {
        "sides": f"multiples of {factor} where the file allows them; the ONNX and the torch file fail on others",
        "tiling": {
            "tile": size,
            "overlap": size // SHARED,
            "how": _TILING.format(side=size, overlap=size // SHARED),
        },
        "tolerance": export_files.TOLERANCE,
        "torch": torch.__version__,
        "files": rows,
    }
