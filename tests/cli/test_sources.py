"""Environment variables: ours by prefix, and those that a command reads under another program's name."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

import pytest
from pydantic import Field

from rsforge.settings.base import RunSettings
from rsforge.settings.sections import Section, also


class FinetuneSettings(Section):
    """Settings of ``rsforge toy``, which reads the variables of ``train.sh``."""

    variables: ClassVar = {"MODEL_NAME": "pretrained_model", "DATA_DIR": "train_data_dir", "OUTPUT_DIR": "output_dir"}

    run: RunSettings = RunSettings(output_dir=Path("RemoteDiff"))
    pretrained_model: str = Field(description="Model to begin with.", json_schema_extra=also("--model-name"))
    train_data_dir: Path = Field(description="Folder of images.")


@pytest.fixture
def finetune(toy, monkeypatch):
    for name, value in {"MODEL_NAME": "sd-1.5", "DATA_DIR": "rsicd_images", "OUTPUT_DIR": ""}.items():
        monkeypatch.setenv(name, value)
    return toy(FinetuneSettings)


def test_a_command_reads_its_own_variables(shell, finetune):
    assert shell("toy") == (0, "done  1\n", "")
    s, origins = finetune.settings, finetune.console.origins
    assert (s.pretrained_model, s.train_data_dir) == ("sd-1.5", Path("rsicd_images"))
    assert (origins["pretrained_model"], origins["train_data_dir"]) == ("env MODEL_NAME", "env DATA_DIR")
    # An empty variable says nothing.
    assert s.run.output_dir == Path("RemoteDiff") and origins["output_dir"] == "default"


@pytest.mark.parametrize("ours", ["RSFORGE_PRETRAINED_MODEL", "RSFORGE_MODEL_NAME"])
def test_our_own_variables_go_first(shell, finetune, monkeypatch, ours):
    monkeypatch.setenv(ours, "sd-2.1")
    assert shell("toy").code == 0
    assert finetune.settings.pretrained_model == "sd-2.1"
    assert finetune.console.origins["pretrained_model"] == f"env {ours}"


def test_files_stand_below_and_options_above(shell, finetune):
    Path("a.toml").write_text('pretrained_model = "file"')
    assert shell("toy", "-c", "a.toml", "--train-data-dir", "typed").code == 0
    assert (finetune.settings.pretrained_model, finetune.settings.train_data_dir) == ("sd-1.5", Path("typed"))


def test_other_commands_do_not_read_them(shell, kitchen, finetune):
    assert shell("vae", "train").code == 2
    assert shell("vae", "train", "--data-dir", "x").code == 0
    assert kitchen.settings.run.output_dir == Path("vae_models")


def test_help_names_the_variable(shell, finetune):
    assert "Also the variable MODEL_NAME." in " ".join(shell("toy", "--help").out.replace("│", " ").split())


def test_an_error_names_the_variable(shell, finetune, monkeypatch):
    monkeypatch.delenv("MODEL_NAME")
    assert "--pretrained-model is required: model to begin with" in shell("toy").err


def test_show_tells_the_variable(shell, finetune):
    assert "env MODEL_NAME" in shell("config", "show", "toy").out
