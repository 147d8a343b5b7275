"""Models from the checkpoints of a fine-tuning, and where their frozen parts are looked for."""

from __future__ import annotations

import shutil

import pytest
import torch

from rsforge.engine import checkpoint
from rsforge.errors import RsforgeError
from rsforge.models.catalogue import build
from rsforge.recipes.pretrained.load import load_pretrained
from rsforge.recipes.pretrained.save import FILES, save_folder
from rsforge.recipes.text_to_image.load import load_model


def same(one, other) -> bool:
    pairs = [(getattr(one, name).state_dict(), getattr(other, name).state_dict())
             for name in ("unet", "autoencoder", "text_encoder")]  # fmt: skip
    return all(torch.equal(a[key], b[key]) for a, b in pairs for key in a)


def test_a_checkpoint_is_the_model_that_its_run_wrote(text_world, scratch_run):
    for run in (text_world.run, scratch_run):
        model, written = load_model(run / "best_model.pt"), load_pretrained(run)
        assert same(model, written) and model.prediction == written.prediction and model.image_size == 16
        assert model.tokenizer.vocabulary == written.tokenizer.vocabulary
        live = load_model(run / "best_model.pt", averaged=False)
        assert not same(live, written)


def test_the_pretrained_model_is_found_where_it_was_or_the_folder_beside(text_world, tmp_path):
    alone = tmp_path / "alone"
    alone.mkdir()
    shutil.copy(text_world.run / "best_model.pt", alone)
    assert same(load_model(alone / "best_model.pt"), load_pretrained(text_world.run))
    state = checkpoint.load(text_world.run / "best_model.pt")
    state["partners"]["pretrained"]["path"] = str(tmp_path / "gone")
    checkpoint.save(alone / "moved.pt", state)
    with pytest.raises(RsforgeError) as raised:
        load_model(alone / "moved.pt")
    assert raised.value.code == "RSF-C001" and "gone" in raised.value.what
    for name in FILES:
        (alone / name).parent.mkdir(exist_ok=True)
        shutil.copy(text_world.run / name, alone / name)
    assert same(load_model(alone / "moved.pt"), load_pretrained(text_world.run))


def test_another_model_in_its_place_is_refused(text_world, tmp_path):
    state = checkpoint.load(text_world.run / "best_model.pt")
    state["partners"]["pretrained"]["digest"] = "0" * 64
    checkpoint.save(tmp_path / "other.pt", state)
    with pytest.raises(RsforgeError) as raised:
        load_model(tmp_path / "other.pt")
    assert raised.value.code == "RSF-C006" and "another autoencoder or text tower" in raised.value.found


def test_adapters_need_the_model_that_they_were_trained_beside(text_world, adapted_run, tmp_path):
    state = checkpoint.load(adapted_run / "best_model.pt")
    model = load_pretrained(text_world.model)
    with torch.no_grad():
        model.unet.conv_in.bias += 1
    save_folder(model, tmp_path / "other")
    changed = {"path": str(tmp_path / "other")}
    checkpoint.save(tmp_path / "a.pt", state | {"partners": {"pretrained": state["partners"]["pretrained"] | changed}})
    checkpoint.save(tmp_path / "b.pt", state | {"partners": {}})
    odd = {"name": "vector_vae", "image_size": 16, "latent_dim": 4, "channels": [8, 16]}
    weights = build(odd).state_dict()
    checkpoint.save(tmp_path / "c.pt", state | {"architecture": {"adapter": odd}, "nets": {"adapter": weights}})
    for name, code, words in (("a", "RSF-C006", "another U-Net, autoencoder"), ("b", "RSF-C003", ""),
                              ("c", "RSF-C003", "")):  # fmt: skip
        with pytest.raises(RsforgeError) as raised:
            load_model(tmp_path / f"{name}.pt", averaged=name != "c")
        assert raised.value.code == code and words in raised.value.found
        assert name != "a" or f"--lora {tmp_path}" in raised.value.fix


def test_an_autoencoder_that_nobody_can_name_is_to_be_put_back(scratch_run, tmp_path):
    state = checkpoint.load(scratch_run / "best_model.pt")
    state["partners"]["vae"]["path"] = str(tmp_path / "gone.pt")
    checkpoint.save(tmp_path / "moved.pt", state)
    with pytest.raises(RsforgeError) as raised:
        load_model(tmp_path / "moved.pt")
    assert raised.value.code == "RSF-C001" and "put it where it was" in raised.value.fix
    assert "--vae" not in raised.value.fix


@pytest.mark.parametrize(("change", "code"), [
    ({"kind": "vae"}, "RSF-C004"), ({"merges": [1]}, "RSF-C003"), ({"prediction": "flow"}, "RSF-C003"),
])  # fmt: skip
def test_checkpoints_that_describe_no_such_model_are_refused(scratch_run, tmp_path, change, code):
    run = shutil.copytree(scratch_run, tmp_path / "run")
    checkpoint.save(run / "odd.pt", checkpoint.load(run / "best_model.pt") | change)
    with pytest.raises(RsforgeError) as raised:
        load_model(run / "odd.pt")
    assert raised.value.code == code
