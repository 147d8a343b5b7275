"""The pretrained model that a training begins with."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from rsforge.engine.distributed import SingleProcess
from rsforge.errors import RsforgeError
from rsforge.recipes.pretrained.load import load_pretrained
from rsforge.recipes.text_to_image.base_model import digest_frozen, open_pretrained
from rsforge.recipes.training.job import Compute
from rsforge.settings.finetune import CaptionedImageSettings, FinetuneSettings, StartSettings
from tests.worlds.consoles import RecordingConsole
from tests.worlds.hub_server import serve_hub
from tests.worlds.stable_diffusion import edit_json

HERE = Compute(torch.device("cpu"), SingleProcess())


def settings(model: Path, size: int = 24, **options) -> FinetuneSettings:
    data = CaptionedImageSettings(data_dir="x", image_size=size)
    return FinetuneSettings(data=data, model=StartSettings(pretrained_model=model, **options))


def test_the_model_draws_images_of_the_training_size_afterwards(text_world):
    console = RecordingConsole()
    base = open_pretrained(settings(text_world.model), HERE, console)
    assert base.model.image_size == 24 and base.model.networks.latent_size == 12 and not base.learns_texts
    assert base.partners["pretrained"].path == text_world.model
    assert console.has_line("predicts eps and drew images of 16 pixels")
    with pytest.raises(RsforgeError) as raised:
        open_pretrained(settings(text_world.model, 25), HERE, console)
    assert (raised.value.code, raised.value.where) == ("RSF-U005", "--image-size")


def test_the_digest_is_of_what_stays_as_it_is(text_world, tmp_path):
    first, second = load_pretrained(text_world.model), load_pretrained(text_world.model)
    with torch.no_grad():
        first.unet.conv_in.bias += 1
    assert digest_frozen(first) == digest_frozen(second)
    assert digest_frozen(first, unet=True) != digest_frozen(second, unet=True)
    with torch.no_grad():
        second.text_encoder.final_layer_norm.bias += 1
    assert digest_frozen(first) != digest_frozen(second)


def test_corrections_of_the_scheduler_are_said(text_world, tmp_path):
    import shutil

    model = shutil.copytree(text_world.model, tmp_path / "sd")
    edit_json(model / "scheduler" / "scheduler_config.json", steps_offset=0)
    console = RecordingConsole()
    open_pretrained(settings(model), HERE, console)
    assert "steps_offset 0 is taken as 1" in console.warned[0]


def test_a_model_of_the_hub_is_downloaded_where_that_is_asked_for(text_world, tmp_path, monkeypatch):
    pytest.importorskip("huggingface_hub")
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("no_proxy", "*")
    with serve_hub("some/model", text_world.model) as hub:
        monkeypatch.setenv("HF_ENDPOINT", hub.url)
        with pytest.raises(RsforgeError, match="not found"):
            open_pretrained(settings(Path("some/model"), 16), HERE, RecordingConsole())
        assert hub.asked == []
        asked = settings(Path("some/model"), 16, download=True)
        base = open_pretrained(asked, HERE, RecordingConsole())
    assert (tmp_path / "cache") in base.partners["pretrained"].path.parents
    assert digest_frozen(base.model, unet=True) == digest_frozen(load_pretrained(text_world.model), unet=True)
