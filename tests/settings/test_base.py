"""Sections refuse what coercion would hide; paths are anchor once."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
from pydantic import ValidationError

from rsforge.settings.base import LoopSettings, OptimSettings, RunSettings, StoppingSettings
from rsforge.settings.diffusion import DenoiserSettings, DiffusionTrainSettings
from rsforge.settings.sample import SampleSettings
from rsforge.settings.sample_text import SampleTextSettings
from rsforge.settings.sections import anchor
from rsforge.settings.vae import AutoencoderSettings, VaeTileSettings, VaeTrainSettings


@pytest.mark.parametrize(
    ("section", "values"),
    [
        (LoopSettings, {"epochs": True}),
        (LoopSettings, {"epochs": 0}),
        (LoopSettings, {"epochs": 1.5}),
        (LoopSettings, {"epoch": 3}),
        (LoopSettings, {"mixed_precision": "fp8"}),
        (OptimSettings, {"learning_rate": math.nan}),
        (OptimSettings, {"learning_rate": math.inf}),
        (OptimSettings, {"learning_rate": False}),
        (RunSettings, {"output_dir": ""}),
        (RunSettings, {"output_dir": "a\0b"}),
        (RunSettings, {"report_to": [""]}),
        (RunSettings, {"device": "cuda:"}),
        (RunSettings, {"device": "tpu"}),
        (RunSettings, {"seed": -1}),
        (StoppingSettings, {"oscillation_window": 1}),
    ],
)
def test_unsound_values_are_refused(section, values):
    with pytest.raises(ValidationError):
        section(**values)


@pytest.mark.parametrize("device", ["auto", "cpu", "mps", "cuda", "cuda:3"])
def test_devices(device):
    assert RunSettings(device=device).device == device


def test_sections_are_frozen():
    with pytest.raises(ValidationError):
        RunSettings().seed = 3


@pytest.mark.parametrize("text", ["a \udcff b", "\ud800"])
def test_text_must_be_unicode_and_names_of_files_need_not(text):
    with pytest.raises(ValidationError, match="must be Unicode text"):
        RunSettings(project=text)
    assert RunSettings(output_dir=text, resume=text).resume == text
    assert SampleTextSettings(pipeline="m", prompt="p", lora=[text]).lora == (text,)


def test_anchored_joins_relative_paths_and_leaves_absolute_ones_and_words():
    settings = DiffusionTrainSettings(
        run=RunSettings(base_dir=Path("/base"), output_dir=Path("out"), resume="last.pt"),
        data={"data_dir": "images"},
        denoiser=DenoiserSettings(vae_checkpoint=Path("/abs/vae.pt"), latent_cache_dir=Path("cache")),
    )
    there = anchor(settings)
    assert there.run.output_dir == Path("/base/out")
    assert there.run.resume == "/base/last.pt"
    assert there.data.data_dir == "/base/images"
    assert there.denoiser.vae_checkpoint == Path("/abs/vae.pt")
    assert there.denoiser.latent_cache_dir == Path("/base/cache")
    assert anchor(there) == there
    assert there.run.model_fields_set == settings.run.model_fields_set


def test_anchored_leaves_synthetic_and_auto_alone():
    run = RunSettings(base_dir=Path("/base"), resume="auto")
    there = anchor(VaeTrainSettings(run=run, data=VaeTileSettings(data_dir="synthetic")))
    assert (there.data.data_dir, there.run.resume) == ("synthetic", "auto")
    assert there.autoencoder.vgg_weights is None


def test_anchored_reads_a_base_dir_outside_sections():
    sample = SampleSettings(diffusion_checkpoint=Path("d.pt"), vae_checkpoint=Path("/v.pt"), base_dir=Path("/w"))
    there = anchor(sample)
    assert (there.diffusion_checkpoint, there.vae_checkpoint) == (Path("/w/d.pt"), Path("/v.pt"))
    assert there.output == Path("/w/generated_images.png")


def test_a_map_latent_has_its_own_kl_defaults_unless_given():
    assert AutoencoderSettings().kl_weight == 1.0
    soft = AutoencoderSettings(latent="map")
    assert (soft.kl_weight, soft.kl_target, soft.kl_warmup) == (1e-6, 0, 0)
    assert AutoencoderSettings(latent="map", kl_weight=0.5).kl_weight == 0.5


def test_no_signal_at_the_end_needs_another_prediction_than_eps():
    with pytest.raises(ValidationError, match="--zero-terminal-snr does not fit --prediction eps"):
        DenoiserSettings(vae_checkpoint=Path("v.pt"), zero_terminal_snr=True)
    assert DenoiserSettings(vae_checkpoint=Path("v.pt"), zero_terminal_snr=True, prediction="v").zero_terminal_snr


def test_flow_brings_its_schedule_and_timesteps_unless_given():
    flow = DenoiserSettings(vae_checkpoint=Path("v.pt"), prediction="flow")
    assert (flow.schedule, flow.timestep_sampling) == ("flow", "logit_normal")
    uniform = DenoiserSettings(vae_checkpoint=Path("v.pt"), prediction="flow", timestep_sampling="uniform")
    assert (uniform.schedule, uniform.timestep_sampling) == ("flow", "uniform")
    with pytest.raises(ValidationError, match="--prediction flow needs --schedule flow, not cosine"):
        DenoiserSettings(vae_checkpoint=Path("v.pt"), prediction="flow", schedule="cosine")
    with pytest.raises(ValidationError, match="--schedule flow ends in pure noise"):
        DenoiserSettings(vae_checkpoint=Path("v.pt"), schedule="flow")
    assert DenoiserSettings(vae_checkpoint=Path("v.pt"), prediction="v", schedule="flow").schedule == "flow"


@pytest.mark.parametrize("draws", [1, 2, 16])
def test_validation_draws_are_one_or_pairs(draws):
    assert DenoiserSettings(vae_checkpoint=Path("v.pt"), validation_draws=draws).validation_draws == draws
    with pytest.raises(ValidationError, match="--validation-draws must be 1 or even"):
        DenoiserSettings(vae_checkpoint=Path("v.pt"), validation_draws=draws + draws % 2 + 1)


def test_flow_needs_no_rescaled_schedule():
    with pytest.raises(ValidationError, match="ends in pure noise without it"):
        DenoiserSettings(vae_checkpoint="v.pt", prediction="flow", zero_terminal_snr=True)
