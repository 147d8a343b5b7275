"""Two networks in one command: the prefix of a section goes with it through every way of saying a value."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Self

import pytest
from pydantic import Field, model_validator

from rsforge.cli.leaves import leaves
from rsforge.settings.base import Widths
from rsforge.settings.sections import Prefix, Section, also
from rsforge.settings.vae import AutoencoderSettings


class UNetSettings(Section):
    """Denoiser"""

    channels: Widths = Field((32,), description="Widths of the levels.")
    attention: bool = Field(False, description="Attend.")
    precision: str = Field("no", description="Precision.", json_schema_extra=also("--p", bare="auto", negative="no"))

    @model_validator(mode="after")
    def _a_level_to_attend_on(self) -> Self:
        if self.attention and not self.channels:
            raise ValueError("--attention does not fit no --channels; use --no-attention")
        return self


class TwoNetworks(Section):
    """Settings of ``rsforge toy``."""

    vae: Annotated[AutoencoderSettings, Prefix("vae")] = AutoencoderSettings(channels=(8, 16))
    unet: Annotated[UNetSettings, Prefix("unet")] = UNetSettings(channels=(64, 128))


@pytest.fixture
def twins(toy):
    return toy(TwoNetworks, writes=True)


def widths(called) -> tuple[tuple[int, ...], tuple[int, ...]]:
    return called.settings.vae.channels, called.settings.unet.channels


def test_options_reach_the_section_of_their_prefix(shell, twins):
    assert shell("toy", "--vae-channels", "1", "2", "--unet_channels=3,4") == (0, "done  1\n", "")
    assert widths(twins) == ((1, 2), (3, 4))
    assert twins.console.origins["vae_channels"] == twins.console.origins["unet_channels"] == "option"


def test_the_defaults_of_the_command_stay(shell, twins):
    assert shell("toy").code == 0
    assert widths(twins) == ((8, 16), (64, 128))


@pytest.mark.parametrize(
    ("words", "attention", "precision"),
    [
        (["--unet-attention", "--unet-precision"], True, "auto"),
        (["--no-unet-attention", "--no-unet-precision"], False, "no"),
        (["--unet-p", "fp16"], False, "fp16"),
    ],
)
def test_flags_negatives_and_aliases_have_the_prefix(shell, twins, words, attention, precision):
    assert shell("toy", *words).code == 0
    assert (twins.settings.unet.attention, twins.settings.unet.precision) == (attention, precision)


def test_environment(shell, twins, monkeypatch):
    monkeypatch.setenv("RSFORGE_VAE_CHANNELS", "5,6")
    monkeypatch.setenv("RSFORGE_UNET_CHANELS", "7")
    ran = shell("toy")
    assert widths(twins) == ((5, 6), (64, 128))
    assert twins.console.origins["vae_channels"] == "env RSFORGE_VAE_CHANNELS"
    assert "did you mean RSFORGE_UNET_CHANNELS?" in ran.err


@pytest.mark.parametrize(
    "text",
    [
        "[vae]\nchannels = [1]\n[unet]\nchannels = [2]",
        "vae_channels = [1]\nunet-channels = [2]",
        "[vae]\nchannels = [1]\n[unet]\np = 'x'\nchannels = [2]",
    ],
)
def test_files_name_the_section_or_the_prefix(shell, twins, text):
    Path("a.toml").write_text(text)
    assert shell("toy", "-c", "a.toml").code == 0
    assert widths(twins) == ((1,), (2,))


def test_set(shell, twins):
    assert shell("toy", "--set", "vae.channels=1,2", "--set", "unet_channels=3").code == 0
    assert widths(twins) == ((1, 2), (3,))


def test_a_key_without_prefix_or_section_is_sent_to_its_section(shell, twins):
    Path("a.toml").write_text("channels = [1]")
    assert "there is no key channels: it stands in [vae]" in shell("toy", "-c", "a.toml").err
    Path("a.toml").write_text("[unet]\nunet_chanels = [1]\nlatent_dim = 3")
    err = shell("toy", "-c", "a.toml").err
    assert "there is no key unet.unet_chanels: did you mean unet_channels?" in err
    assert "there is no key unet.latent_dim: it stands in [vae]" in err


def test_errors_name_the_option_with_its_prefix(shell, twins):
    ran = shell("toy", "--unet-channels", "0")
    assert ran.code == 2 and "--unet-channels must be greater than or equal to 1" in ran.err
    Path("a.toml").write_text("[unet]\nchannels = []")
    ran = shell("toy", "--unet-attention", "-c", "a.toml")
    assert ran.code == 2 and ran.err.startswith(
        "error[RSF-U005]: --unet-attention does not fit no --unet-channels; use --no-unet-attention"
    )


def test_help_shows_each_network_in_a_panel_of_its_own(shell, twins):
    told = shell("toy", "--help").out
    assert "Autoencoder (--vae-...)" in told and "Denoiser (--unet-...)" in told
    assert all(option in told for leaf in leaves(TwoNetworks).values() for option in leaf.options)


def test_schema_and_show(shell, twins):
    schema = json.loads(shell("config", "schema", "toy").out)
    assert set(schema["properties"]) == {"vae", "unet"}
    shown = json.loads(shell("config", "show", "toy", "--set", "unet.channels=9", "--json").out)
    assert shown["unet_channels"] == {"value": [9], "origin": "--set"}
    assert shown["vae_channels"] == {"value": [8, 16], "origin": "default"}


def test_two_sections_that_share_a_name_need_prefixes():
    class Clash(Section):
        vae: AutoencoderSettings = AutoencoderSettings()
        unet: UNetSettings = UNetSettings()

    with pytest.raises(TypeError, match="two settings share a name"):
        leaves(Clash)
