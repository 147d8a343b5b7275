"""A network exported to files: each is loaded and compared with the network before any gets its final name."""

from __future__ import annotations

import functools
import hashlib
import importlib
import json
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, BinaryIO

import torch
from torch import Tensor

from rsforge import durable
from rsforge.data.files.digests import file_digest
from rsforge.engine.checkpoint import digest_weights
from rsforge.errors import RsforgeError
from rsforge.recipes.console import Console
from rsforge.recipes.export.formats import FORMATS, LoadedFile
from rsforge.recipes.export.network import ExportedNetwork
from rsforge.recipes.export.torch_program import CapturedProgram, capture, export_error
from rsforge.seeds import derive

TOLERANCE = 1e-4
LARGEST_ONNX = 2**31 - 2**24  # bytes: what protobuf takes, less room for what is not weights
DESCRIPTION = ".json"

Cases = list[tuple[tuple[Tensor, ...], Tensor]]
"""Inputs, and the outputs of the network for them."""


def list_files(folder: Path, name: str, formats: Sequence[str]) -> list[Path]:
    """The files of an export, the description last."""
    suffixes = [FORMATS[chosen].suffix for chosen in formats]
    return [folder / f"{name}{suffix}" for suffix in (*suffixes, DESCRIPTION)]


def check_free(folder: Path, name: str, *, overwrite: bool) -> None:
    """RSF-U004 when an earlier export is there and may not be replaced."""
    present = [path.name for path in list_files(folder, name, list(FORMATS)) if path.exists()]
    if present and not overwrite:
        what = f"{folder} holds an export already"
        fix = "replace it with --overwrite, or name another --output-dir"
        raise RsforgeError("RSF-U004", what, where="--output-dir", found=", ".join(present), fix=fix)


def check_packages(formats: Sequence[str]) -> None:
    """RSF-E006 unless the packages for the formats are installed."""
    if "onnx" not in formats:
        return
    for package in ("onnx", "onnxscript"):
        try:
            importlib.import_module(package)
        except ImportError as error:
            fix = 'pip install "rsforge[export]", or leave onnx out of --formats'
            raise RsforgeError("RSF-E006", f"ONNX needs the package {package}", where="--formats", fix=fix) from error


def check_size(subject: ExportedNetwork, formats: Sequence[str]) -> None:
    """RSF-U005 when the weights are too large for one ONNX file."""
    if "onnx" in formats and subject.bytes_of_weights > LARGEST_ONNX:
        found = f"weights of {subject.bytes_of_weights / 2**30:.2f} GiB"
        fix = "leave onnx out of --formats"
        raise RsforgeError("RSF-U005", "one ONNX file holds at most 2 GiB", where="--formats", found=found, fix=fix)


def write_files(
    subject: ExportedNetwork,
    folder: Path,
    name: str,
    formats: Sequence[str],
    describe: Callable[[list[dict[str, Any]]], dict[str, Any]],
    console: Console,
) -> list[dict[str, Any]]:
    """Write all files or none; returns the facts of each, from which ``describe`` makes the description.

    Files of an earlier export in other formats are removed, because the new description does not list them, if the old
    description lists them with their SHA-256. Others are left with a warning: they belong to somebody else.
    """
    paths = list_files(folder, name, formats)
    others = [path for path in list_files(folder, name, list(FORMATS)) if path.is_file() and path not in paths]
    earlier = _read_digests(folder / f"{name}{DESCRIPTION}") if others else {}
    stale = [path for path in others if earlier.get(path.name) == file_digest(path)]
    cases = _make_cases(subject)
    captured = functools.cache(lambda: capture(subject))
    rows: list[dict[str, Any]] = []
    with ExitStack() as stack, console.progress("format", len(formats)) as meter:
        # Contexts end in reverse order: the description, which is opened first, gets its final name last.
        description = stack.enter_context(durable.open_atomic(paths[-1]))
        files = [stack.enter_context(durable.open_atomic(path)) for path in reversed(paths[:-1])]
        for chosen, file in zip(formats, reversed(files), strict=True):
            facts = _write_file(subject, chosen, file, cases, captured, console)
            rows.append({"file": f"{name}{FORMATS[chosen].suffix}", "format": chosen, **facts})
            meter.step()
        description.write((json.dumps(describe(rows), indent=2) + "\n").encode())
    for path in others:
        if path in stale:
            path.unlink()
            console.say(f"removed    {path.name} of an earlier export")
        else:
            console.warn(f"{path.name} stays, and is not of this export: no earlier {name}{DESCRIPTION} lists it so")
    return rows


def _read_digests(description: Path) -> dict[str, str]:
    """The SHA-256 of the files of an earlier export by name; nothing where its description cannot be read."""
    try:
        return {str(row["file"]): str(row["sha256"]) for row in json.loads(description.read_bytes())["files"]}
    except (OSError, ValueError, KeyError, TypeError):
        return {}


def _write_file(
    subject: ExportedNetwork,
    chosen: str,
    file: BinaryIO,
    cases: Cases,
    captured: Callable[[], CapturedProgram],
    console: Console,
) -> dict[str, Any]:
    encoded = FORMATS[chosen].encode(subject, captured)
    file.write(encoded.contents)
    loaded = FORMATS[chosen].load(Path(file.name))
    if loaded.slow:
        console.warn(
            "onnxruntime is not installed: the ONNX file is run by a slow reference, minutes for a large network"
        )
    compared = cases if encoded.any_size and not loaded.slow else cases[:2]
    largest = largest_difference(loaded, compared)
    if not largest <= TOLERANCE:
        found = f"a largest absolute difference of {largest:.3g}, where {TOLERANCE:g} is allowed"
        raise export_error(f"the {chosen} file does not agree with the model", found)
    if loaded.digest and loaded.digest != digest_weights(subject.network.state_dict()):
        raise export_error(f"the {chosen} file does not hold the weights of the model", "other bits")
    return {
        "bytes": len(encoded.contents),
        "sha256": hashlib.sha256(encoded.contents).hexdigest(),
        **_describe_sides(subject, any_size=encoded.any_size),
        "largest_difference": largest,
        "checked_by": loaded.runtime,
        "checked_shapes": [_list_shapes(inputs) for inputs, _ in compared],
        **encoded.facts,
    }


@torch.no_grad()
def _make_cases(subject: ExportedNetwork) -> Cases:
    """Random inputs with the outputs of the network: of one, of a batch of three, and of a wider image."""
    generator = torch.Generator().manual_seed(derive("export"))
    size = subject.size
    shapes = [(1, size), (3, size), (1, size + subject.factor)][: 3 if subject.has_sides else 2]
    drawn = [subject.draw_inputs(batch, (size, width), generator) for batch, width in shapes]
    return [(inputs, subject.network(*inputs)) for inputs in drawn]


def _describe_sides(subject: ExportedNetwork, *, any_size: bool) -> dict[str, str]:
    if not subject.has_sides:
        return {}
    return {"sides": f"multiples of {subject.factor}" if any_size else f"{subject.size} only"}


def _list_shapes(inputs: tuple[Tensor, ...]) -> list[Any]:
    """The shape of the only input, or of each."""
    shapes = [list(x.shape) for x in inputs]
    return shapes if len(shapes) > 1 else shapes[0]


@torch.no_grad()
def largest_difference(loaded: LoadedFile, cases: Cases) -> float:
    """The largest difference from the outputs; infinite for another shape, NaN if one is NaN.

    It is told as a share of the largest output where that is above 1, which no image's is.
    """
    differences = [torch.tensor(0.0)]
    for inputs, expected in cases:
        output = loaded.run(*inputs)
        if output.shape == expected.shape:
            differences.append((output - expected).abs().max() / expected.abs().max().clamp(min=1))
        else:
            differences.append(torch.tensor(torch.inf))
    return float(torch.stack(differences).max())
