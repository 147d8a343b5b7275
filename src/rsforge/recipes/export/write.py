"""A network written for other programs: each file is loaded back and run before any gets its name."""

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
from rsforge.data.io.digests import file_digest
from rsforge.engine.checkpoint import digest_weights
from rsforge.errors import RsforgeError
from rsforge.recipes.console import Console
from rsforge.recipes.export.formats import FORMATS, LoadedFile
from rsforge.recipes.export.torch_program import CapturedProgram, ExportedNetwork, capture, export_error
from rsforge.seeds import derive

TOLERANCE = 1e-4
LARGEST_ONNX = 2**31 - 2**24  # bytes: what protobuf takes, less room for what is not weights
DESCRIPTION = ".json"

Cases = list[tuple[Tensor, Tensor]]


def list_files(folder: Path, name: str, formats: Sequence[str]) -> list[Path]:
    """The files that an export makes, the description last."""
    return [folder / f"{name}{suffix}" for suffix in (*(FORMATS[f].suffix for f in formats), DESCRIPTION)]


def check_free(folder: Path, name: str, *, overwrite: bool) -> None:
    """RSF-U004 when an earlier export is there and is not to be replaced."""
    there = [path.name for path in list_files(folder, name, list(FORMATS)) if path.exists()]
    if there and not overwrite:
        what, fix = f"{folder} holds an export already", "replace it with --overwrite, or name another --output-dir"
        raise RsforgeError("RSF-U004", what, where="--output-dir", found=", ".join(there), fix=fix)


def check_packages(formats: Sequence[str]) -> None:
    """RSF-E006 unless what writes the formats is installed."""
    for package in ("onnx", "onnxscript") if "onnx" in formats else ():
        try:
            importlib.import_module(package)
        except ImportError as error:
            fix = 'pip install "rsforge[export]", or leave onnx out of --formats'
            raise RsforgeError("RSF-E006", f"ONNX needs the package {package}", where="--formats", fix=fix) from error


def check_size(subject: ExportedNetwork, formats: Sequence[str]) -> None:
    """RSF-U005 when the weights are more than one ONNX file holds."""
    if "onnx" in formats and subject.bytes_of_weights > LARGEST_ONNX:
        found, fix = f"weights of {subject.bytes_of_weights / 2**30:.2f} GiB", "leave onnx out of --formats"
        raise RsforgeError("RSF-U005", "one ONNX file holds at most 2 GiB", where="--formats", found=found, fix=fix)


def write_files(
    subject: ExportedNetwork,
    folder: Path,
    name: str,
    formats: Sequence[str],
    describe: Callable[[list[dict[str, Any]]], dict[str, Any]],
    show: Console,
) -> list[dict[str, Any]]:
    """Write all files or none; what is known of each, which ``describe`` makes the description of.

    Files of an earlier export in other formats are removed: the description would not be of them. Those that no
    description lists as they are, with their SHA-256, belong to somebody else.
    """
    asked = list_files(folder, name, formats)
    others = [path for path in list_files(folder, name, list(FORMATS)) if path.is_file() and path not in asked]
    earlier = _read_digests(folder / f"{name}{DESCRIPTION}") if others else {}
    stale = [path for path in others if earlier.get(path.name) == file_digest(path)]
    cases, captured = _make_cases(subject), functools.cache(lambda: capture(subject))
    rows: list[dict[str, Any]] = []
    with ExitStack() as stack, show.progress("format", len(formats)) as meter:
        # Contexts end in reverse: the description, opened first, gets its name last.
        opened = [stack.enter_context(durable.open_atomic(path)) for path in asked[::-1]]
        description, *targets = opened[0], *opened[:0:-1]
        for chosen, file in zip(formats, targets, strict=True):
            rows.append({"file": f"{name}{FORMATS[chosen].suffix}", "format": chosen})
            rows[-1] |= _write_file(subject, chosen, file, cases, captured, show)
            meter.step()
        description.write((json.dumps(describe(rows), indent=2) + "\n").encode())
    for path in others:
        if path in stale:
            path.unlink()
            show.say(f"removed    {path.name} of an earlier export")
        else:
            show.warn(f"{path.name} stays, and is not of this export: no earlier {name}{DESCRIPTION} lists it so")
    return rows


def _read_digests(description: Path) -> dict[str, str]:
    """The SHA-256 of the files that an earlier export wrote, by name, as far as its description can be read."""
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
    show: Console,
) -> dict[str, Any]:
    encoded = FORMATS[chosen].encode(subject, captured)
    file.write(encoded.contents)
    loaded = FORMATS[chosen].load(Path(file.name))
    if loaded.slow:
        show.warn("onnxruntime is not installed: the ONNX file is run by a slow reference, minutes for a large network")
    run = cases[: 3 if encoded.free and not loaded.slow else 2]
    largest = largest_difference(loaded, run)
    if not largest <= TOLERANCE:
        found = f"a largest absolute difference of {largest:.3g}, where {TOLERANCE:g} is allowed"
        raise export_error(f"the {chosen} file does not agree with the model", found)
    if loaded.digest and loaded.digest != digest_weights(subject.network.state_dict()):
        raise export_error(f"the {chosen} file does not hold the weights of the model", "other bits")
    return {
        "bytes": len(encoded.contents),
        "sha256": hashlib.sha256(encoded.contents).hexdigest(),
        "sides": f"multiples of {subject.factor}" if encoded.free else f"{subject.side} only",
        "largest_difference": largest,
        "checked_by": loaded.by,
        "checked_shapes": [list(x.shape) for x, _ in run],
        **encoded.facts,
    }


@torch.no_grad()
def _make_cases(subject: ExportedNetwork) -> Cases:
    """Random images in [-1, 1] and what the model makes of them: one, three, and one that is wider."""
    generator, side = torch.Generator().manual_seed(derive("export")), subject.side
    shapes = [(1, side), (3, side), (1, side + subject.factor)]
    inputs = [torch.rand(b, subject.channels, side, w, generator=generator) * 2 - 1 for b, w in shapes]
    return [(x, subject.network(x)) for x in inputs]


@torch.no_grad()
def largest_difference(loaded: LoadedFile, cases: Cases) -> float:
    """The largest absolute difference from the model; infinite for another shape, NaN where there is one."""
    largest = [torch.tensor(0.0)]
    for x, y in cases:
        made = loaded.run(x)
        largest.append((made - y).abs().max() if made.shape == y.shape else torch.tensor(torch.inf))
    return float(torch.stack(largest).max())
