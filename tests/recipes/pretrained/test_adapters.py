"""Adapters merged into pretrained models, against the library's own loader where peft is installed."""

from __future__ import annotations

import pytest
import torch
from safetensors.torch import save_file

from rsforge.data.files.digests import file_digest
from rsforge.errors import RsforgeError
from rsforge.models.adapter import attach_adapter, make_adapter
from rsforge.models.pretrained.read_adapter import read_adapter
from rsforge.models.pretrained.write_adapter import write_kohya, write_peft
from rsforge.recipes.pretrained.adapters import merge_adapters, save_adapters
from rsforge.recipes.pretrained.load import load_pretrained
from rsforge.samplers.noise_source import SeededNoise
from tests.worlds.adapters import make_updates
from tests.worlds.pretrained_model import make_model
from tests.worlds.single_files import single_file
from tests.worlds.stable_diffusion import SIZE, draw_theirs, load_pipeline, quietly

PROMPTS = ["a river and green trees", "an airport!"]
ATTENTION = ("to_q", "to_k", "to_v", "to_out.0")
ENDS = {
    "attention": {"unet": ATTENTION},
    "all layers": {"unet": (*ATTENTION, "proj_in", "proj_out", "ff.net.0.proj", "ff.net.2", "conv1"),
                   "text_encoder": ("q_proj", "out_proj", "fc1")},
}  # fmt: skip
LATENTS = SeededNoise(5, [0, 1]).draw(torch.empty(2, 4, SIZE, SIZE))


def updates_of(model, ends, *, rank=2):
    networks = {"unet": model.unet, "text_encoder": model.text_encoder}
    return {part: make_updates(networks[part], own, rank=rank, alpha=4.0) for part, own in ends.items()}


def draw(model):
    pipeline = model.pipeline()
    return pipeline.draw([0, 1], pipeline.walk("ddim", 3), seed=5, guide=model.guide(PROMPTS, 2.0))


@quietly
def load_theirs(pipeline, path, weight):
    pipeline.load_lora_weights(str(path.parent), weight_name=path.name, adapter_name="own")
    pipeline.set_adapters(["own"], [weight])
    return pipeline


@pytest.mark.parametrize(("write", "layers"), [(write_peft, "all layers"), (write_kohya, "attention")])
def test_images_are_those_of_the_library_with_the_adapter(source, tmp_path, write, layers):
    pytest.importorskip("peft")
    model, file = load_pretrained(source), tmp_path / "adapter.safetensors"
    before = draw(model)
    write(file, updates_of(model, ENDS[layers]))
    merge_adapters(model, [(file, 0.8)])
    theirs = load_theirs(load_pipeline(source, "DDIMScheduler"), file, 0.8)
    expected = draw_theirs(theirs, LATENTS, PROMPTS, steps=3, guidance_scale=2.0)
    assert (draw(model) - expected).abs().max() < 1e-4
    assert (expected - before).abs().max() > 0.01


def test_files_of_the_library_are_read(source, tmp_path):
    peft = pytest.importorskip("peft")
    from diffusers.training_utils import _collate_lora_metadata
    from diffusers.utils import convert_state_dict_to_diffusers
    from peft.utils import get_peft_model_state_dict

    pipeline = load_pipeline(source, "DDIMScheduler")
    torch.manual_seed(0)
    pipeline.unet.add_adapter(
        peft.LoraConfig(r=2, lora_alpha=1, target_modules=list(ATTENTION), init_lora_weights=False)
    )
    state = get_peft_model_state_dict(pipeline.unet)
    pipeline.save_lora_weights(
        tmp_path / "new", unet_lora_layers=state, **_collate_lora_metadata({"unet": pipeline.unet})
    )
    pipeline.save_lora_weights(tmp_path / "old", unet_lora_layers=convert_state_dict_to_diffusers(state))
    expected = draw_theirs(pipeline, LATENTS, PROMPTS, steps=3, guidance_scale=2.0)
    for name, weight in (("new", 1.0), ("old", 0.5)):  # the old form does not say alpha
        model = load_pretrained(source)
        (record,) = merge_adapters(model, [(tmp_path / name, weight)])
        assert record["ranks"] == [2] and record["parts"] == ["unet"]
        assert (draw(model) - expected).abs().max() < 1e-4


def test_adapters_add_up_and_are_recorded(tmp_path):
    model, plain = make_model(), make_model()
    updates = updates_of(model, ENDS["all layers"])
    write_peft(tmp_path / "one.safetensors", updates)
    write_kohya(tmp_path / "two.safetensors", updates)
    records = merge_adapters(model, [(tmp_path / "one.safetensors", 0.5), (tmp_path / "two.safetensors", -0.25)])
    for part, network, before in (("unet", model.unet, plain.unet),
                                  ("text_encoder", model.text_encoder, plain.text_encoder)):  # fmt: skip
        expected = dict(before.state_dict())
        for name, update in updates[part].items():
            weight = expected[f"{name}.weight"]
            expected[f"{name}.weight"] = weight + 0.25 * update.compute(weight.shape)
        torch.testing.assert_close(dict(network.state_dict()), expected)
    assert records[1] == {
        "file": str(tmp_path / "two.safetensors"), "sha256": file_digest(tmp_path / "two.safetensors"),
        "weight": -0.25, "parts": ["text_encoder", "unet"], "layers": sum(map(len, updates.values())), "ranks": [2],
    }  # fmt: skip


def test_single_files_take_them_too(source, family, tmp_path):
    save_file(single_file(source, family), tmp_path / "model.safetensors")
    plain, single = (
        load_pretrained(source),
        load_pretrained(tmp_path / "model.safetensors", tokenizer=source / "tokenizer"),
    )
    write_kohya(tmp_path / "a.safetensors", updates_of(plain, ENDS["all layers"]))
    for model in (plain, single):
        merge_adapters(model, [(tmp_path / "a.safetensors", 0.5)])
    for name in ("unet", "text_encoder"):
        states = [dict(getattr(model, name).state_dict()) for model in (plain, single)]
        torch.testing.assert_close(*states, atol=0, rtol=0)


def test_what_is_trained_is_saved_for_all_programs(tmp_path):
    model = make_model()
    adapter = make_adapter(model.unet, rank=2, alpha=1.0)
    attached = attach_adapter(model.unet, adapter)
    with torch.no_grad():
        for parameter in adapter.parameters():
            parameter.normal_(std=0.3)
    beside = draw_one(model)
    attached.remove()
    plain = draw_one(model)
    files = save_adapters(tmp_path, {"unet": adapter.updates()})
    assert sorted(files) == sorted(tmp_path.iterdir())
    for file in (*files, tmp_path):
        merged = make_model()
        merge_adapters(merged, [(file, 1.0)])
        assert (draw_one(merged) - beside).abs().max() < 1e-4 < 1e-2 < (beside - plain).abs().max()
    again = make_adapter(model.unet, rank=2, alpha=1.0)
    again.load_updates(read_adapter(files[1], {"unet": model.unet, "text_encoder": model.text_encoder})["unet"])
    torch.testing.assert_close(dict(again.state_dict()), dict(adapter.state_dict()))


def draw_one(model):
    pipeline = model.pipeline()
    return pipeline.draw([0], pipeline.walk("ddim", 2), seed=5, guide=model.guide(["trees"], 1.0))


def test_nothing_is_changed_where_one_does_not_fit(tmp_path):
    model, plain = make_model(), make_model()
    write_peft(tmp_path / "one.safetensors", updates_of(model, ENDS["attention"]))
    with pytest.raises(RsforgeError, match="adapter was not found"):
        merge_adapters(model, [(tmp_path / "one.safetensors", 1.0), (tmp_path / "none.safetensors", 1.0)])
    torch.testing.assert_close(dict(model.unet.state_dict()), dict(plain.unet.state_dict()), atol=0, rtol=0)


@pytest.mark.parametrize(("name", "words"), [("fields:much", "a number"), ("best.pt", "--lora-rank")])
def test_what_an_adapter_is_named_by_is_told(tmp_path, name, words):
    (tmp_path / "best.pt").touch()
    with pytest.raises(RsforgeError) as caught:
        read_adapter(tmp_path / name, {})
    assert words in caught.value.fix
