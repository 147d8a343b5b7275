"""Pretrained models in whatever form they are, and what is none."""

from __future__ import annotations

import json
import shutil
import socket

import pytest
import torch
from safetensors.torch import load_file, save_file

from rsforge.errors import RsforgeError
from rsforge.recipes.pretrained.load import TOKENIZERS, load_pretrained
from tests.worlds.clip_tokens import AWKWARD
from tests.worlds.single_files import single_file
from tests.worlds.stable_diffusion import copy_folder, edit_json, source_pipeline

UNET = "unet/diffusion_pytorch_model.safetensors"


@pytest.fixture(autouse=True)
def no_network_and_an_empty_cache(monkeypatch, tmp_path):
    def refuse(*_, **__):
        raise AssertionError("the network was asked")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def first(tmp_path):
    pytest.importorskip("diffusers")
    return copy_folder("1.x", tmp_path / "model")


def refusal(*args, **options) -> RsforgeError:
    with pytest.raises(RsforgeError) as caught:
        load_pretrained(*args, **options)
    assert caught.value.exit == 4
    return caught.value


def _same(one, other):
    for name in ("unet", "autoencoder", "text_encoder"):
        states = [dict(getattr(model, name).state_dict()) for model in (one, other)]
        torch.testing.assert_close(*states, atol=0, rtol=0)
    assert torch.equal(one.tokenizer.encode(AWKWARD), other.tokenizer.encode(AWKWARD))


def test_prompts_are_read_as_the_library_reads_them(source, family):
    model, theirs = load_pretrained(source), source_pipeline(family)
    tokens = theirs.tokenizer(
        AWKWARD, padding="max_length", max_length=77, truncation=True, return_tensors="pt"
    ).input_ids
    assert torch.equal(model.tokenizer.encode(AWKWARD), tokens)
    with torch.no_grad():
        expected = theirs.text_encoder(tokens).last_hidden_state
    torch.testing.assert_close(model.reader(AWKWARD), expected, atol=1e-5, rtol=1e-5)


def test_every_form_of_a_model_gives_the_same(folder, family, tmp_path, monkeypatch):
    plain = load_pretrained(folder)
    state = single_file(folder, family)
    (tmp_path / "files").mkdir()
    shutil.copytree(folder / "tokenizer", tmp_path / "files" / "tokenizer")
    save_file(state, tmp_path / "files" / "model.safetensors")
    torch.save({"state_dict": state}, tmp_path / "files" / "model.ckpt")
    for name in ("model.safetensors", "model.ckpt"):
        _same(load_pretrained(tmp_path / "files" / name), plain)
    home = tmp_path / "cache" / "models--some--model"
    (home / "refs").mkdir(parents=True)
    (home / "refs" / "main").write_text("c0ffee")
    shutil.copytree(folder, home / "snapshots" / "c0ffee")
    _same(load_pretrained("some/model"), plain)
    _shard(folder / UNET)
    _same(load_pretrained(folder), plain)


def _shard(path):
    state = load_file(path)
    names = sorted(state)
    path.unlink()
    places = {}
    for number, part in enumerate((names[::2], names[1::2]), start=1):
        shard = path.with_name(f"diffusion_pytorch_model-0000{number}-of-00002.safetensors")
        save_file({name: state[name] for name in part}, shard)
        places |= dict.fromkeys(part, shard.name)
    index = path.with_name("diffusion_pytorch_model.safetensors.index.json")
    index.write_text(json.dumps({"metadata": {}, "weight_map": places}))


def test_the_tokenizer_of_a_single_file_is_found_or_asked_for(first, tmp_path):
    file = tmp_path / "files" / "model.safetensors"
    file.parent.mkdir()
    save_file(single_file(first, "1.x"), file)
    error = refusal(file)
    assert error.code == "RSF-C001" and "no tokenizer" in error.what and "openai/clip-vit-large-patch14" in error.fix
    plain = load_pretrained(first)
    _same(load_pretrained(file, tokenizer=first / "tokenizer"), plain)
    home = tmp_path / "cache" / f"models--{TOKENIZERS['quick_gelu'][0].replace('/', '--')}"
    (home / "refs").mkdir(parents=True)
    (home / "refs" / "main").write_text("1")
    shutil.copytree(first / "tokenizer", home / "snapshots" / "1")
    _same(load_pretrained(file), plain)
    shutil.copytree(first / "tokenizer", tmp_path / "files" / "model" / "tokenizer")
    shutil.rmtree(tmp_path / "cache")
    _same(load_pretrained(file), plain)


def test_what_is_missing_is_named(first):
    for name in (
        "model_index.json",
        "vae/config.json",
        "scheduler/scheduler_config.json",
        UNET,
        "text_encoder/model.safetensors",
    ):
        (first / name).rename(first / "aside")
        error = refusal(first)
        assert error.code == "RSF-C001" and name.rsplit("/", 1)[-1] in error.what
        (first / "aside").rename(first / name)
    shutil.rmtree(first / "tokenizer")
    assert "no tokenizer" in refusal(first).what
    assert refusal(first.parent / "nothing").code == "RSF-C001"
    (first / "model.zip").touch()
    assert "no folder, .safetensors or .ckpt file" in refusal(first / "model.zip").what


def test_weights_of_another_shape_are_named(first):
    state = load_file(first / UNET)
    save_file(state | {"conv_in.weight": torch.ones(32, 5, 3, 3)}, first / UNET)
    error = refusal(first)
    assert error.code == "RSF-C007" and "conv_in.weight [32, 5, 3, 3] for [32, 4, 3, 3]" in error.found


def test_pickled_folders_are_refused_unless_allowed(first):
    plain = load_pretrained(first)
    for part, stem, pickled in (("unet", "diffusion_pytorch_model", "diffusion_pytorch_model"),
                                ("text_encoder", "model", "pytorch_model")):  # fmt: skip
        path = first / part / f"{stem}.safetensors"
        torch.save(load_file(path), first / part / f"{pickled}.bin")
        path.unlink()
    error = refusal(first)
    assert error.code == "RSF-C003" and "pickled" in error.what
    _same(load_pretrained(first, allow_pickle=True), plain)


def test_a_tokenizer_of_another_model_is_refused(first):
    path = first / "tokenizer" / "tokenizer.json"
    words = json.loads(path.read_text())
    words["model"]["vocab"]["<further>"] = 1 + max(words["model"]["vocab"].values())
    path.write_text(json.dumps(words))
    error = refusal(first)
    assert error.code == "RSF-C006" and "not that of the text encoder" in error.what and "525 tokens" in error.found
    path.write_text("{}")
    assert refusal(first).code == "RSF-C003"


def _rotate_ids(vocabulary):
    return {word: (one + 1) % len(vocabulary) for word, one in vocabulary.items()}


def test_other_ids_than_the_text_encoder_states_are_refused(first):
    path = first / "tokenizer" / "tokenizer.json"
    words = json.loads(path.read_text())
    words["model"]["vocab"] = _rotate_ids(words["model"]["vocab"])
    path.write_text(json.dumps(words))
    error = refusal(first)
    assert error.code == "RSF-C006" and error.found == "bos_token_id 523; the text encoder has 522"
    # What the configurations of 1.x and 2.x say, and of models with fewer words than those of CLIP.
    edit_json(first / "text_encoder" / "config.json", bos_token_id=0, eos_token_id=2)
    assert load_pretrained(first).tokenizer.end == 0
    edit_json(first / "text_encoder" / "config.json", bos_token_id=49406, eos_token_id=None)
    assert load_pretrained(first).tokenizer.end == 0


def test_a_tokenizer_without_its_merges_is_refused(first):
    path = first / "tokenizer" / "tokenizer.json"
    words = json.loads(path.read_text())
    words["model"]["merges"] = words["model"]["merges"][:8]
    path.write_text(json.dumps(words))
    error = refusal(first)
    assert error.code == "RSF-C003" and error.found.startswith("the merges lack the pairs of 2 words")


def test_parts_of_different_models_are_refused(first, tmp_path):
    other = copy_folder("2.x", tmp_path / "other")
    shutil.rmtree(first / "text_encoder")
    shutil.copytree(other / "text_encoder", first / "text_encoder")
    error = refusal(first)
    assert error.code == "RSF-C006" and "128 wide, 64 are needed" in error.found


def test_what_is_taken_otherwise_is_noted(first):
    edit_json(first / "scheduler" / "scheduler_config.json", steps_offset=0)
    (note,) = load_pretrained(first).notes
    assert note.startswith("steps_offset 0 is taken as 1")


def test_damaged_files_are_to_be_got_again(first):
    (first / UNET).write_bytes((first / UNET).read_bytes()[:400])
    assert refusal(first).fix == "get the file again, or name another model"
    (first / "unet" / "config.json").write_text("{")
    assert refusal(first).fix == "get the file again, or name another model"


def test_what_was_meant_is_named_in_place_of_checkpoints_and_adapters(tmp_path):
    checkpoint, adapters = tmp_path / "best model.pt", tmp_path / "fields"
    checkpoint.touch()
    error = refusal(checkpoint)
    assert error.code == "RSF-C004" and f"export --checkpoint '{checkpoint}'" in error.fix
    adapters.mkdir()
    (adapters / "pytorch_lora_weights.safetensors").touch()
    error = refusal(adapters)
    assert error.code == "RSF-C001" and "--lora" in error.fix


def test_another_prediction_than_that_of_the_scheduler_is_told(first):
    assert "--prediction v is not followed: the scheduler says eps" in load_pretrained(first, prediction="v").notes
    assert load_pretrained(first, prediction="eps").notes == ()
