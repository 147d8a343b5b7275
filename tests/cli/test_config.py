"""Presets, and the commands about settings and errors."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from rsforge.cli.config_files import headline, presets
from rsforge.cli.tree import COMMANDS
from rsforge.error_registry import REGISTRY

NAMES = (
    "clip-tiny clip diffusion-sar-tiny diffusion-sar cyclegan-tiny vae-tiny vae-corel vae-map-f4 vae-map-f8 "
    "diffusion-tiny diffusion-corel diffusion-map-small diffusion-map-base hsi-tiny hsi-spatial-tiny "
    "finetune-tiny finetune-small"
)


def test_ls(shell):
    assert set(presets()) == set(NAMES.split())
    listed = json.loads(shell("config", "ls", "--json").out)
    assert set(listed) == set(presets())
    assert all(tuple(row["command"].split()) in COMMANDS and row["description"] for row in listed.values())
    assert len(shell("config", "ls").out.splitlines()) == len(listed)


@pytest.mark.parametrize("name", NAMES.split())
def test_every_preset_is_valid_for_its_command(shell, name):
    told = json.loads(shell("config", "validate", name, "--json").out)
    assert told == {name: f"rsforge {headline(presets()[name])[0]}"}


@pytest.mark.parametrize(
    ("name", "command"), [("vae-corel", "vae.train"), ("diffusion-corel", "diffusion.train"), ("clip", "clip.train")]
)
def test_the_presets_of_the_document_are_the_defaults(shell, name, command):
    plain = json.loads(shell("config", "show", command, "--json").out)
    preset = json.loads(shell("config", "show", command, "-c", name, "--json").out)
    changed = {k for k in plain if plain[k]["value"] != preset[k]["value"]}
    assert changed <= {"channels"}


@pytest.mark.parametrize("command", ["diffusion.finetune", "diffusion.train-sar"])
def test_epochs_and_steps_of_the_first_autoencoder_stand_for_each_other(shell, command):
    Path("mine.toml").write_text("[autoencoder]\nmax_train_steps = 7\n[data]\ndata_dir = 'x'\n")
    line = ("config", "show", command, "-c", "mine.toml", "--json", "--set")
    ours, theirs = (json.loads(shell(*line, word).out) for word in ("vae_channels=8", "vae_epochs=5"))
    assert ours["vae_max_train_steps"]["value"] == 7 and ours["max_train_steps"] == theirs["max_train_steps"]
    assert [theirs[name]["value"] for name in ("vae_epochs", "vae_max_train_steps")] == [5, None]


def test_cp(shell):
    assert shell("config", "cp", "vae-tiny").code == 0
    assert Path("vae-tiny.toml").read_text() == presets()["vae-tiny"]
    Path("vae-tiny.toml").write_text("mine")
    ran = shell("config", "cp", "vae-tiny")
    assert ran.code == 2 and "--overwrite" in ran.err and Path("vae-tiny.toml").read_text() == "mine"
    assert shell("config", "cp", "vae-tiny", "--overwrite").code == 0
    assert shell("config", "cp", "vae-tiny", "deep/er/my.toml").code == 0
    assert shell("config", "cp", "vae-corel", "deep").code == 0 and Path("deep/vae-corel.toml").exists()
    assert shell("config", "cp", "vae-tiny", "dry.toml", "--dry-run").code == 0 and not Path("dry.toml").exists()
    assert "did you mean vae-corel?" in shell("config", "cp", "vae-corl").err


def test_show_tells_each_value_and_its_origin(shell, monkeypatch):
    monkeypatch.setenv("RSFORGE_LR", "0.5")
    Path("a.toml").write_text("\nepochs = 3\n")
    ran = shell("config", "show", "vae", "train", "--config", "a.toml", "--set", "seed=7")
    rows = {line.split()[0]: line.split(maxsplit=2)[1:] for line in ran.out.splitlines()}
    assert rows["epochs"] == ["3", "a.toml:2"]
    assert rows["learning_rate"] == ["0.5", "env RSFORGE_LR"]
    assert rows["seed"] == ["7", "--set"]
    assert rows["data_dir"] == ["(required)", "required"]
    assert rows["batch_size"] == ["16", "default"]
    assert "did you mean vae.train?" in shell("config", "show", "vae.tain").err


@pytest.mark.parametrize("path", [p for p, c in COMMANDS.items() if c.tunable], ids=".".join)
def test_schema_names_every_section(shell, path):
    schema = json.loads(shell("config", "schema", *path).out)
    assert set(schema["properties"]) == set(COMMANDS[path].model.model_fields)


def test_validate_tells_what_is_wrong_and_where(shell):
    Path("good.toml").write_text("epochs = 3\n")
    told = json.loads(shell("config", "validate", "good.toml", "--json").out)
    trainings = sorted(f"rsforge {' '.join(path)}" for path, known in COMMANDS.items() if known.method)
    assert told == {"good.toml": ", ".join(trainings)} and "rsforge vae train" in trainings
    Path("bad.toml").write_text("kl_weight = 1\nepochs = 0\n")
    ran = shell("config", "validate", "good.toml", "bad.toml")
    assert ran.code == 2 and "--epochs must be" in ran.err and "bad.toml:2" in ran.err


@pytest.mark.parametrize("code", REGISTRY)
def test_every_code_is_explained(shell, code):
    ran = shell("explain", code.lower())
    assert ran.code == 0 and REGISTRY[code].title in ran.out and REGISTRY[code].advice in ran.out
    assert json.loads(shell("explain", code, "--json").out)["exit"] == REGISTRY[code].exit


def test_explain_lists_all_and_suggests(shell):
    assert len(shell("explain").out.splitlines()) == len(REGISTRY)
    ran = shell("explain", "RSF-B01")
    assert ran.code == 2 and "did you mean RSF-B001?" in ran.err


@pytest.mark.parametrize("span", ["5 1", "1 1", "nan 2"])
def test_a_range_that_does_not_rise_is_a_wrong_setting(shell, span):
    ran = shell("data", "audit", "--data-dir", ".", "--clip", *span.split())
    assert ran.code == 2 and "--clip" in ran.err
