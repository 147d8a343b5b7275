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


def test_more_minutes_train_longer_and_fewer_do_not_shorten_the_plan():
    plan = Plan(vae_steps=10, diffusion_steps=20, translator_steps=5)
    longer = plan.extend(30.0)
    assert (longer.vae_steps, longer.diffusion_steps, longer.translator_steps) == (100, 200, 50)
    assert plan.extend(1.0) == plan and longer.scenes == plan.scenes


def test_the_device_is_given_only_where_it_was_named(tmp_path: Path):
    assert "device" not in DemoOptions(DemoSettings(output_dir=tmp_path), Plan()).vae(1)
