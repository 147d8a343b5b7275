"""Decisions become settings that nobody chose, with their reason."""

from __future__ import annotations

from rsforge.recipes.console import SilentConsole
from rsforge.recipes.training.decisions import Decision, apply_decisions, describe_decisions
from rsforge.settings.vae import AutoencoderSettings, VaeTileSettings, VaeTrainSettings

DECIDED = {"perceptual": Decision("no", "there is nothing to compare with")}


def test_a_decided_value_takes_its_place_and_counts_as_nobodys_choice():
    settings = VaeTrainSettings(data=VaeTileSettings(data_dir="tiles"), autoencoder=AutoencoderSettings(latent_dim=4))
    console = SilentConsole()
    settled = apply_decisions(settings, DECIDED, console)
    assert settled.autoencoder == settings.autoencoder.model_copy(update={"perceptual": "no"})
    assert settled.autoencoder.model_fields_set == {"latent_dim"} and settled.data is settings.data
    assert console.origins == {"perceptual": "default: there is nothing to compare with"}


def test_a_run_that_goes_on_keeps_the_reasons_of_its_start():
    assert describe_decisions(DECIDED, None) == {"perceptual": "no: there is nothing to compare with"}
    assert describe_decisions(DECIDED, {"decided": {"perceptual": "no: then"}}) == {"perceptual": "no: then"}
    assert describe_decisions(DECIDED, {}) == {}
