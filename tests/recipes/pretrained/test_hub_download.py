"""Models of the hub: downloaded where that is asked for and never else, from a hub on loopback."""

from __future__ import annotations

import socket
import sys

import pytest
import torch

from rsforge.errors import RsforgeError
from rsforge.models.pretrained.hub_cache import find_snapshot
from rsforge.recipes.console import SilentConsole
from rsforge.recipes.pretrained.hub_download import HubChoice, find_model, list_patterns
from rsforge.recipes.pretrained.load import load_pretrained
from tests.worlds.consoles import RecordingConsole
from tests.worlds.hub_server import COMMIT, serve_hub
from tests.worlds.pretrained_model import make_model, write_model

NAME = "some/model"
ASKED = HubChoice(download=True)


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    return tmp_path / "cache"


@pytest.fixture
def hub(tmp_path, monkeypatch, cache):
    """The hub with the tiny model and files that nobody needs."""
    pytest.importorskip("huggingface_hub")
    folder = write_model(tmp_path / "published")
    for name in ("unet/diffusion_pytorch_model.bin", "unet/diffusion_pytorch_model.fp16.safetensors", "model.ckpt"):
        (folder / name).write_bytes(b"x" * 10)
    monkeypatch.setenv("no_proxy", "*")
    with serve_hub(NAME, folder) as running:
        monkeypatch.setenv("HF_ENDPOINT", running.url)
        yield running


def test_what_is_needed_is_downloaded_once(hub, cache):
    console = RecordingConsole()
    folder = find_model(NAME, ASKED, console)
    assert folder == find_snapshot(NAME) and folder.name == COMMIT and console.has_line(NAME)
    torch.testing.assert_close(
        dict(load_pretrained(NAME).unet.state_dict()), dict(make_model().unet.state_dict()), atol=0, rtol=0
    )
    fetched = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if not path.is_dir()}
    assert not [name for name in fetched if name.endswith((".bin", ".ckpt")) or "fp16" in name]
    hub.asked.clear()
    assert find_model(NAME, ASKED, console) == folder
    assert not [call for call in hub.asked if "/resolve/" in call]


def test_a_request_is_downloaded_and_found_again(hub):
    asked = HubChoice(download=True, revision="refs/pr/3")
    folder = find_model(NAME, asked, SilentConsole())
    assert folder == find_snapshot(NAME, "refs/pr/3") and find_snapshot(NAME) is None
    hub.asked.clear()
    assert find_model(NAME, asked._replace(download=False), SilentConsole()) == folder and hub.asked == []


def test_nothing_is_touched_unless_asked(hub, cache):
    with pytest.raises(RsforgeError, match="not found") as caught:
        find_model(NAME, HubChoice(), SilentConsole())
    assert "--download" in caught.value.fix
    with pytest.raises(RsforgeError, match="a dry run downloads nothing"):
        find_model(NAME, ASKED, RecordingConsole(dry_run=True))
    local = hub.folder
    assert find_model(local, ASKED, SilentConsole()) == local
    assert hub.asked == [] and not cache.exists()


def test_an_interrupted_download_goes_on(hub):
    hub.broken.add("diffusion_pytorch_model.safetensors")
    with pytest.raises(RsforgeError, match="some/model could not be downloaded") as caught:
        find_model(NAME, ASKED, SilentConsole())
    assert (caught.value.code, caught.value.exit) == ("RSF-E011", 6) and hub.url == caught.value.where
    hub.broken.clear()
    hub.asked.clear()
    load_pretrained(find_model(NAME, ASKED, SilentConsole()))
    assert not [call for call in hub.asked if call.startswith("GET") and call.endswith("model_index.json")]


def test_an_id_that_is_not_there_is_named(hub):
    with pytest.raises(RsforgeError, match="nobody/else could not be downloaded") as caught:
        find_model("nobody/else", ASKED, SilentConsole())
    assert "RepositoryNotFound" in caught.value.found


def test_without_a_network_there_is_a_sentence(hub, monkeypatch):
    def refuse(*_, **__):
        raise OSError("the network was asked")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "create_connection", refuse)
    with pytest.raises(RsforgeError, match="could not be downloaded") as caught:
        find_model(NAME, ASKED, SilentConsole())
    assert caught.value.code == "RSF-E011" and hub.asked == []


def test_without_the_extra_there_is_a_sentence(cache, monkeypatch):
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(RsforgeError, match="huggingface_hub") as caught:
        find_model(NAME, ASKED, SilentConsole())
    assert (caught.value.code, caught.value.fix) == ("RSF-E006", 'pip install "rsforge[hub]"')


def test_the_chosen_kind_of_weights_alone_is_fetched():
    assert "unet/diffusion_pytorch_model.safetensors" in list_patterns(ASKED)
    half = list_patterns(HubChoice(variant="fp16", allow_pickle=True))
    assert {"unet/diffusion_pytorch_model.fp16.safetensors", "text_encoder/pytorch_model.fp16.bin",
            "vae/diffusion_pytorch_model.safetensors.index.fp16.json"} <= set(half)  # fmt: skip
    assert "unet/diffusion_pytorch_model.safetensors" not in half
    assert not any(pattern.endswith(".bin") for pattern in list_patterns(ASKED))
