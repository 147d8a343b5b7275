"""The parts of a text-to-image model as programs: they draw by themselves what the model draws."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch

from rsforge.cli.main import run
from rsforge.errors import RsforgeError
from rsforge.noise.schedules import table_of
from rsforge.recipes.console import SilentConsole
from rsforge.recipes.export.torch_program import export_error
from rsforge.recipes.pretrained import export_programs
from rsforge.recipes.pretrained.export_programs import (
    PARTS,
    check_programs,
    list_parts,
    list_programs,
    write_programs,
)
from rsforge.recipes.text_to_image import export
from tests.worlds.pretrained_model import make_model, write_model

onnxruntime = pytest.importorskip("onnxruntime")
TORCH = ("text_encoder", "vae_encoder", "vae_decoder")
FORMATS = {"unet": "onnx"} | dict.fromkeys(TORCH, "torch")
"""Each in one of them: an export to ONNX takes seconds."""


@pytest.fixture(scope="module")
def programs(tmp_path_factory):
    """A folder with the parts as programs, the model, and how far they differ."""
    folder, model = tmp_path_factory.mktemp("model"), make_model()
    parts, differences = list_parts(model), {}
    for chosen in ("onnx", "torch"):
        with pytest.MonkeyPatch.context() as patch:
            few = {name: part for name, part in parts.items() if FORMATS[name] == chosen}
            patch.setattr(export_programs, "list_parts", lambda _, few=few: few)
            differences |= write_programs(model, folder, (chosen,), SilentConsole())
    return folder / "programs", model, differences


def part_of(name):
    return name.removeprefix("programs/").partition(".")[0]


def test_every_part_is_written_compared_and_described(programs):
    folder, model, differences = programs
    listed = [(name, chosen) for chosen in ("onnx", "torch") for name in list_programs((chosen,))]
    names = {name for name, chosen in listed if FORMATS[part_of(name)] == chosen}
    assert {f"programs/{path.name}" for path in folder.iterdir()} == names
    assert set(differences) == set(PARTS)
    assert all(row[FORMATS[name]] <= 1e-4 for name, row in differences.items())
    told = json.loads((folder / "unet.json").read_text())
    assert told["inputs"] == [
        {"name": "x_t", "dtype": "float32", "shape": ["batch", 4, None, None]},
        {"name": "t", "dtype": "int64", "shape": ["batch"], "below": 1000},
        {"name": "context", "dtype": "float32", "shape": ["batch", 16, 8]},
    ]
    assert json.loads(told["schedule"]) == model.schedule and told["prediction"] == "eps"
    (file,) = told["files"]
    assert file["checked_shapes"][2] == [[1, 4, 8, 10], [1], [1, 16, 8]] and file["sides"] == "multiples of 2"
    assert "sides" not in json.loads((folder / "text_encoder.json").read_text())["files"][0]


def test_an_image_is_drawn_by_the_programs_alone(programs):
    """Two steps of DDIM, Song et al. 2021, Eq. 12 with no noise, on a batch of two wide images."""
    folder, model, _ = programs
    unet = onnxruntime.InferenceSession(folder / "unet.onnx")
    text, encode, decode = (torch.export.load(folder / f"{name}.pt2").module() for name in TORCH)
    prompts, table = ["a river", "fields"], table_of(model.schedule).double().numpy()
    x_t = np.random.default_rng(0).normal(size=(2, 4, 8, 12)).astype(np.float32)
    with torch.no_grad():
        context = text(model.tokenizer.encode(prompts)).numpy()
        ours, read = torch.from_numpy(x_t), model.reader(prompts)
        for t, after in ((700, 300), (300, None)):
            steps, end = np.full(2, t, np.int64), 1.0 if after is None else table[after]
            (eps,) = unet.run(None, {"x_t": x_t, "t": steps, "context": context})
            x_t = walk(x_t, eps, table[t], end)
            ours = walk(ours, model.unet(ours, torch.from_numpy(steps), read), table[t], end)
        scale = model.networks.scaling_factor
        image, expected = decode(torch.from_numpy(x_t) / scale), model.autoencoder.decode(ours / scale)
        torch.testing.assert_close(image, expected, atol=1e-4, rtol=0)
        torch.testing.assert_close(encode(expected), model.autoencoder.encode(expected)[0], atol=1e-4, rtol=0)


def walk(x_t, eps, now, after):
    x_0 = (x_t - (1 - now) ** 0.5 * eps) / now**0.5
    x_t = after**0.5 * x_0 + (1 - after) ** 0.5 * eps
    return x_t.astype(np.float32) if isinstance(x_t, np.ndarray) else x_t


def test_programs_that_are_there_stay(programs):
    folder, model, _ = programs
    with pytest.raises(RsforgeError) as caught:
        check_programs(model, folder.parent, ("torch",), overwrite=False)
    assert caught.value.code == "RSF-U004"
    check_programs(model, folder.parent, ("torch",), overwrite=True)
    check_programs(model, folder.parent, (), overwrite=False)


def test_the_command_writes_them_beside_the_model(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    write_model(tmp_path / "sd")
    line = ["diffusion", "export", "--pipeline", "sd", "--output-dir", "out", "--formats", "onnx", "--json"]
    assert run([*line, "--dry-run"]) == 0
    assert "programs/unet.onnx" in json.loads(capsys.readouterr().out)["plan"]["files"]
    asked = []
    monkeypatch.setattr(export, "write_programs", lambda _m, _f, formats, _c: asked.append(formats) or {"unet": 0})
    assert run(line) == 0
    assert asked == [("onnx",)] and json.loads(capsys.readouterr().out)["largest_difference"] == {"unet": 0}

    def fail(*_):
        raise export_error("ONNX cannot hold the network", "no such operator")

    monkeypatch.setattr(export, "write_programs", fail)
    assert run([*line, "--overwrite"]) == 6
    told = json.loads(capsys.readouterr().err.splitlines()[-1])
    assert told["code"] == "RSF-E010" and told["kept"].startswith("the model in out")
    assert (tmp_path / "out" / "model_index.json").is_file()
