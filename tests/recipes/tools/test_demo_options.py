"""The options of the commands that the demo calls."""

from __future__ import annotations

from pathlib import Path

from rsforge.recipes.tools.demo_options import DemoOptions, Plan
from rsforge.settings.tools import DemoSettings


def test_each_command_reads_what_the_former_one_wrote(tmp_path: Path):
    options = DemoOptions(DemoSettings(output_dir=tmp_path, device="cpu", seed=3), Plan(image_size=16))
    vae, diffusion, sample = options.vae(2), options.diffusion(3), options.sample()
    assert vae["output_dir"] == tmp_path / "vae_models" and (vae["max_train_steps"], vae["seed"]) == (2, 3)
    assert diffusion["vae_checkpoint"] == tmp_path / "vae_models" / "best_model.pt"
    assert sample["diffusion_checkpoint"] == tmp_path / "diffusion_models" / "best_model.pt"
    assert options.evaluate()["data_dir"] == str(tmp_path / "unseen") and options.reconstruct()["num_images"] == 8


def test_the_device_is_given_only_where_it_was_named(tmp_path: Path):
    assert "device" not in DemoOptions(DemoSettings(output_dir=tmp_path), Plan()).vae(1)
