"""Models written for the library and read back, by it and by us."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from rsforge import durable
from rsforge.errors import RsforgeError
from rsforge.recipes.pretrained.load import load_pretrained
from rsforge.recipes.pretrained.save import FILES, check_free, save_folder
from rsforge.samplers.noise_source import SeededNoise
from tests.worlds.stable_diffusion import SIZE, draw_theirs, load_pipeline, source_folder, source_pipeline

PROMPTS = ["a river!", "trees"]


def _files(folder):
    return sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file() and p.name != durable.LOCK)


def test_the_library_draws_the_same_from_what_is_written(source, family, tmp_path):
    model, target = load_pretrained(source), tmp_path / "written"
    with torch.no_grad():
        model.unet.conv_out.bias.add_(0.1)  # as training changes it
    assert [path.relative_to(target).as_posix() for path in save_folder(model, target)] == FILES
    assert _files(target) == sorted(FILES)
    again, theirs = load_pretrained(target), load_pipeline(target)
    torch.testing.assert_close(dict(again.unet.state_dict()), dict(model.unet.state_dict()), atol=0, rtol=0)
    assert again.schedule == model.schedule and again.networks.schedule.scheduler == "DDIMScheduler"
    latents = SeededNoise(5, [0, 1]).draw(torch.empty(2, 4, SIZE, SIZE))
    expected = draw_theirs(theirs, latents, PROMPTS, steps=3, guidance_scale=2.0)
    pipeline = model.pipeline()
    ours = pipeline.draw([0, 1], pipeline.walk("ddim", 3), seed=5, guide=model.guide(PROMPTS, 2.0))
    assert (ours - expected).abs().max() < 1e-4
    before = draw_theirs(source_pipeline(family, "DDIMScheduler"), latents, PROMPTS, steps=3, guidance_scale=2.0)
    assert (ours - before).abs().max() > 0.01


@pytest.fixture
def model():
    pytest.importorskip("diffusers")
    return load_pretrained(source_folder("1.x"))


def test_what_is_there_stays_unless_it_is_to_be_replaced(model, tmp_path):
    target = tmp_path / "out"
    save_folder(model, target)
    with pytest.raises(RsforgeError, match="holds a model already") as caught:
        save_folder(model, target)
    assert (caught.value.code, caught.value.exit) == ("RSF-U004", 2)
    with torch.no_grad():
        model.unet.conv_in.weight.zero_()
    save_folder(model, target, overwrite=True)
    assert not load_pretrained(target).unet.conv_in.weight.any() and _files(target) == sorted(FILES)
    (target / "unet" / "diffusion_pytorch_model.fp16.safetensors").touch()
    with pytest.raises(RsforgeError, match="files of another model") as caught:
        check_free(target, overwrite=True)
    assert "fp16" in caught.value.found


def test_a_folder_that_is_not_finished_is_no_model(model, tmp_path, monkeypatch):
    target = tmp_path / "out"
    save_folder(model, target)
    done = []

    def fail(operation):
        done.append(operation)
        if operation == "rename" and done.count("rename") == 8:
            raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(durable, "before_operation", fail)
        with pytest.raises(OSError, match="No space"):
            save_folder(model, target, overwrite=True)
    assert not (target / "model_index.json").exists() and not list(target.rglob(f"{durable.TEMPORARY}*"))
    with pytest.raises(RsforgeError, match=r"model_index\.json not found"):
        load_pretrained(target)
    save_folder(model, target, overwrite=True)
    assert _files(target) == sorted(FILES)


def test_a_model_that_the_library_cannot_draw_from_leaves_nothing(model, tmp_path):
    networks = replace(model.networks, schedule=replace(model.networks.schedule, prediction="flow"))
    with pytest.raises(RsforgeError, match="cannot draw flow") as caught:
        save_folder(replace(model, networks=networks), tmp_path / "out")
    assert caught.value.code == "RSF-C004" and not (tmp_path / "out").exists()
