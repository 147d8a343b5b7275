"""Exports of an untrained CycleGAN, and what their tests compare."""

from __future__ import annotations

import contextlib
import io
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from torch import Tensor

from rsforge import durable
from rsforge.data.sar.radiometry import Radiometry
from rsforge.engine import checkpoint
from rsforge.models.interfaces import Translator
from rsforge.models.pix2pix import Pix2PixUNet
from rsforge.models.statistics_translator import StatisticsUNet
from rsforge.recipes.cyclegan.load import load_generator
from rsforge.recipes.export import torch_program
from rsforge.recipes.export.formats import FORMATS, LoadedFile
from tests.worlds.commands import rsforge
from tests.worlds.cyclegan import write_checkpoint

SIZE = 16
DECIBELS = Radiometry("db", -25.0, 5.0)
DIRECTIONS = {"sar2optical": ("gen_AB", "sar", "optical"), "optical2sar": ("gen_BA", "optical", "sar")}
EXPORT = "cyclegan export --checkpoint {} --output-dir {} --json --direction "
EXPORT_FORMATS = "cyclegan export --checkpoint {} --output-dir {} --formats "


class Exported(NamedTuple):
    """An export in all formats; ``any_size`` when the files take images of any size."""

    folder: Path
    net_name: str
    input_name: str
    output_name: str
    any_size: bool
    net: Translator
    card: dict
    result: dict
    stderr: str

    def file(self, suffix: str) -> Path:
        return self.folder / f"{self.net_name}{suffix}"


def write_generators(path: Path) -> None:
    """Write a checkpoint: towards optical over a linear model, towards SAR with attention and batch norm."""
    state = write_checkpoint(path, image_size=SIZE, sar_channels=2, radiometry=DECIBELS)
    nets = {
        "gen_AB": StatisticsUNet(in_channels=2, out_channels=3, depth=4, base=4),
        "gen_BA": Pix2PixUNet(in_channels=3, out_channels=2, depth=4, base=4, norm="batch", attention=True),
    }
    with torch.no_grad():
        nets["gen_BA"].attention.gamma.fill_(0.7)
        nets["gen_BA"].train()(torch.rand(4, 3, SIZE, SIZE))
        nets["gen_BA"].to_image.weight.mul_(10)
        nets["gen_AB"].network.to_image.weight.normal_(0, 0.2)
        nets["gen_AB"].linear.coefficients.normal_(0, 0.05)
    state["architecture"] |= {name: net.architecture for name, net in nets.items()}
    state["nets"] |= {name: net.state_dict() for name, net in nets.items()}
    checkpoint.save(path, state)


@contextlib.contextmanager
def limit_sizes(*, any_size: bool) -> Iterator[None]:
    """Run with a torch that can leave height and width dynamic, or with one that cannot."""
    original = torch_program._try_capture

    def try_fixed(subject: Any, *, any_size: bool) -> torch_program.CapturedProgram | None:
        return None if any_size else original(subject, any_size=False)

    with pytest.MonkeyPatch.context() as patch:
        if not any_size:
            patch.setattr(torch_program, "_try_capture", try_fixed)
        yield


def export_all(checkpoint_path: Path, folder: Path, direction: str, *, any_size: bool) -> Exported:
    """Export in all formats through the command line."""
    net_name, input_name, output_name = DIRECTIONS[direction]
    out, err = (io.TextIOWrapper(io.BytesIO(), "utf-8") for _ in range(2))
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err), limit_sizes(any_size=any_size):
        assert rsforge(EXPORT + direction, checkpoint_path, folder) == 0
    result, messages = (stream.seek(0) or stream.read() for stream in (out, err))
    net, _ = load_generator(checkpoint_path, torch.device("cpu"), direction)
    card = json.loads((folder / f"{net_name}.json").read_text())
    return Exported(folder, net_name, input_name, output_name, any_size, net, card, json.loads(result), messages)


def files_in(folder: Path) -> set[str]:
    """The names of the files in ``folder``, less the lock."""
    return {path.name for path in folder.iterdir()} - {durable.LOCK}


def assert_agree(run: Callable[[Tensor], Tensor], net: Translator, *, any_size: bool = True) -> None:
    """Both make the same of one image, of three and, where any size is taken, of larger ones."""
    torch.manual_seed(1)
    shapes = [(1, SIZE, SIZE), (3, SIZE, SIZE)]
    if any_size:
        shapes.append((2, 3 * SIZE, 2 * SIZE))
    for batch, h, w in shapes:
        x = torch.rand(batch, net.in_channels, h, w) * 2 - 1
        output, expected = run(x), net(x)
        assert output.shape == expected.shape == (batch, net.out_channels, h, w)
        assert float((output - expected).abs().max()) <= 1e-4
        assert float(expected.std()) > 0.01


def alter_output(monkeypatch: pytest.MonkeyPatch, name: str, by: Callable[[Tensor], Tensor]) -> None:
    """Have files of a format, once loaded, make images that ``by`` changed; their weights stay the same."""
    safetensors = FORMATS["safetensors"]

    def load(path: Path) -> LoadedFile:
        loaded = safetensors.load(path)
        return loaded._replace(run=lambda x: by(loaded.run(x)))

    monkeypatch.setitem(FORMATS, name, safetensors._replace(suffix=FORMATS[name].suffix, load=load))


def evaluate_formula(values: dict, key: str, **known: object) -> Any:
    """What a described formula says, computed as it is written."""
    functions = {"clip": np.clip, "log10": np.log10, "round": np.round}
    return eval(values[key].split("= ", 1)[-1].split(", as")[0], {}, {**functions, **values, **known})
