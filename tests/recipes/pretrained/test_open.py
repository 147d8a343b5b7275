"""The model of a command with its adapters."""

from __future__ import annotations

import torch

from rsforge.models.pretrained.write_adapter import write_peft
from rsforge.recipes.pretrained.open import open_pretrained
from rsforge.settings.pretrained import PretrainedModelSettings
from tests.worlds.adapters import make_updates
from tests.worlds.consoles import RecordingConsole
from tests.worlds.pretrained_model import make_model, write_model
from tests.worlds.stable_diffusion import edit_json


def test_it_is_loaded_with_its_adapters_and_what_is_of_note_is_said(tmp_path):
    folder, plain = write_model(tmp_path / "model"), make_model()
    edit_json(folder / "scheduler" / "scheduler_config.json", steps_offset=0)
    updates = make_updates(plain.unet, ("attn2.to_k",), rank=1, alpha=1.0)
    write_peft(tmp_path / "a.safetensors", {"unet": updates})
    console = RecordingConsole()
    settings = PretrainedModelSettings(lora=(f"{tmp_path}/a.safetensors:2",))
    model, records = open_pretrained(folder, settings, torch.device("cpu"), console)
    name, update = next(iter(updates.items()))
    before = plain.unet.get_submodule(name).weight
    torch.testing.assert_close(model.unet.get_submodule(name).weight, before + 2 * update.compute(before.shape))
    assert [one["weight"] for one in records] == [2.0]
    assert console.has_line(f"weight 2, {len(updates)} layers")
    assert console.has_line("steps_offset 0 is taken as 1")
