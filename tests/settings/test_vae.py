"""What goes together in the settings of autoencoders."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from rsforge.settings.vae import MAP_DEFAULTS, AutoencoderSettings, VaeTrainSettings


def test_a_map_latent_has_defaults_of_its_own():
    settings = AutoencoderSettings(latent="map")
    assert settings.model_dump(include=set(MAP_DEFAULTS)) == MAP_DEFAULTS
    assert AutoencoderSettings(latent="map", kl_weight=0.5).kl_weight == 0.5


def test_activations_of_map_autoencoders_alone_can_be_recomputed():
    assert AutoencoderSettings(latent="map", gradient_checkpointing=True).gradient_checkpointing
    with pytest.raises(ValidationError, match="needs --latent map"):
        AutoencoderSettings(gradient_checkpointing=True)


def test_a_vector_begins_as_the_linear_code_of_a_target() -> None:
    assert not AutoencoderSettings(latent="map", linear_path=False).linear_path
    assert AutoencoderSettings(linear_path=True).linear_path
    with pytest.raises(ValidationError, match="--linear-path needs --kl-target"):
        AutoencoderSettings(linear_path=True, kl_target=0)


def test_runs_of_before_go_on_as_they_began():
    assert VaeTrainSettings.former == {"test_fraction": 0.0, "linear_path": False, "kl_per_pixel": False}
