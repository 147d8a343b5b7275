"""The stages and headlines of the demo's report."""

from __future__ import annotations

from types import SimpleNamespace

from rsforge.recipes.tools.demo_report import make_headlines, make_stage
from rsforge.settings.tools import DemoSettings

RECORD = SimpleNamespace(command="rsforge doctor", origins={"minutes": "default"})


def test_a_stage_without_a_training_has_commands_and_no_settings(tmp_path):
    stage = make_stage("samples", 1.23, [(RECORD, DemoSettings(output_dir=tmp_path)), (RECORD, DemoSettings())])
    assert (stage.title, stage.seconds, stage.command) == ("samples", 1.2, "rsforge doctor\nrsforge doctor")
    assert stage.settings == {} and make_stage("scenes", 1.0, []).command == ""


def test_every_headline_has_its_baseline():
    figures = {
        "autoencoder": {"psnr_db": 20.0, "mean_image_psnr_db": 10.0},
        "diffusion": {"held_out_loss": 0.2, "linear_loss": 0.4},
        "steps": {"autoencoder": 20, "diffusion": 30},
        "planned_steps": {"autoencoder": 40, "diffusion": 30},
    }
    vae, diffusion, duration = make_headlines(figures, 65.0)
    assert vae.value == "20.0 dB" and "10.0 dB" in vae.reading
    assert diffusion.value == "50 %" and "0.400" in diffusion.reading
    assert duration.value == "1 min 05 s"
    assert "20 and 30 training steps; training was cut from 40 and 30" in duration.reading
    figures["planned_steps"]["autoencoder"] = 20
    assert make_headlines(figures, 65.0)[2].reading.endswith("20 and 30 training steps")
