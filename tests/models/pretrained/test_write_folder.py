"""Our networks as a folder of the library."""

from __future__ import annotations

import json

import torch

from rsforge.models.pretrained.folder import read_folder
from rsforge.models.pretrained.scheduler_config import as_drawn
from rsforge.models.pretrained.write_folder import describe_parts, list_files, write_index, write_parts
from tests.worlds.stable_diffusion import quietly

IDS = {"start": 1, "end": 2, "pad": 0}


def test_what_is_written_is_read_as_the_same_networks_here_and_there(source, tmp_path):
    ours, target = read_folder(source), tmp_path / "written"
    configs = describe_parts(ours, IDS)
    write_parts(ours, target, configs)
    assert not (target / "model_index.json").exists()
    write_index(target, configs["scheduler"]["_class_name"])
    assert {p.relative_to(target).as_posix() for p in target.rglob("*") if p.is_file()} == set(list_files())
    again = read_folder(target)
    for name in ("unet", "autoencoder", "text_encoder"):
        one, other = getattr(ours, name), getattr(again, name)
        torch.testing.assert_close(dict(one.state_dict()), dict(other.state_dict()), atol=0, rtol=0)
        assert one.architecture == other.architecture
    assert (again.schedule, again.scaling_factor, again.latent_size) == (
        as_drawn(ours.schedule),
        ours.scaling_factor,
        ours.latent_size,
    )


@quietly
def load_with_report(kind, path):
    return kind.from_pretrained(path, output_loading_info=True)


def test_the_libraries_miss_nothing_and_take_everything(source, tmp_path):
    import diffusers
    import transformers

    ours, target = read_folder(source), tmp_path / "written"
    write_parts(ours, target, describe_parts(ours, IDS))
    kinds = {"unet": diffusers.UNet2DConditionModel, "vae": diffusers.AutoencoderKL,
             "text_encoder": transformers.CLIPTextModel}  # fmt: skip
    for part, kind in kinds.items():
        network, told = load_with_report(kind, target / part)
        assert not told["missing_keys"] and not told["unexpected_keys"]
        stated = json.loads((target / part / "config.json").read_text())
        assert all(_plain(network.config.to_dict() if part == "text_encoder" else network.config)[key] == value
                   for key, value in stated.items() if key != "_class_name")  # fmt: skip


def _plain(config):
    return json.loads(json.dumps(dict(config), default=str))
