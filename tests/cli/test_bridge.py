"""Options, files, environment and defaults meet; every value knows where it came from."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from rsforge.cli.leaves import leaves
from rsforge.settings.cyclegan import CycleGanTranslateSettings

TRAIN = ("vae", "train", "--data-dir", "x")


def test_precedence_and_origins(shell, kitchen, monkeypatch):
    Path("low.toml").write_text("# settings\n[loop]\nepochs = 1\nbatch_size = 1\n[optim]\nlr = 1.0\n")
    Path("high.toml").write_text("batch-size = 2\n")
    monkeypatch.setenv("RSFORGE_WEIGHT_DECAY", "0.5")
    monkeypatch.setenv("RSFORGE_GRAD_ACCUM", "7")
    monkeypatch.setenv("RSFORGE_SEED", "")
    ran = shell(
        *TRAIN, "--config", "low.toml", "-c", "high.toml", "--set", "grad_accum=3", "--set", "loop.save_every=4",
        "--epochs", "9",
    )  # fmt: skip
    assert ran == (0, "done  1\n", "")
    s, origins = kitchen.settings, kitchen.console.origins
    assert (s.loop.epochs, s.loop.batch_size, s.loop.grad_accum, s.loop.save_every) == (9, 2, 3, 4)
    assert (s.optim.learning_rate, s.optim.weight_decay, s.run.seed) == (1.0, 0.5, 42)
    assert origins["epochs"] == "option"
    assert origins["grad_accum"] == origins["save_every"] == "--set"
    assert origins["weight_decay"] == "env RSFORGE_WEIGHT_DECAY"
    assert origins["batch_size"] == "high.toml:1"
    assert origins["learning_rate"] == "low.toml:6"
    assert origins["seed"] == "default"
    # What the command's own defaults set in a touched section stays.
    assert (s.optim.lr_scheduler, s.loop.mixed_precision, s.loop.sample_every) == ("none", "no", 10)


def test_the_environment_knows_aliases_and_lists(shell, kitchen, monkeypatch):
    monkeypatch.setenv("RSFORGE_LR", "3e-4")
    monkeypatch.setenv("RSFORGE_CHANNELS", "8,16")
    monkeypatch.setenv("RSFORGE_PERCEPTUAL", "no")
    assert shell(*TRAIN).code == 0
    assert kitchen.settings.optim.learning_rate == 3e-4
    assert kitchen.settings.autoencoder.channels == (8, 16)
    assert kitchen.settings.autoencoder.perceptual == "no"


def test_a_misspelt_variable_is_warned_of(shell, kitchen, monkeypatch):
    monkeypatch.setenv("RSFORGE_BATCH_SISE", "3")
    assert "did you mean RSFORGE_BATCH_SIZE?" in shell(*TRAIN).err


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.json", '{"loop": {"epochs": 3},\n "image_dir": "y", "hidden": null}'),
        ("a.yaml", "loop:\n  epochs: 3\nimage-dir: y\n"),
        ("a.toml", 'loop.epochs = 3\nimage_dir = "y"\n'),
    ],
)
def test_config_forms(shell, kitchen, name, text):
    Path(name).write_text(text.replace(', "hidden": null', ""))
    assert shell("vae", "train", "--config", name) == (0, "done  1\n", "")
    assert (kitchen.settings.loop.epochs, kitchen.settings.data.data_dir) == (3, "y")
    assert kitchen.console.origins["data_dir"] == f"{name}:{3 if name == 'a.yaml' else 2}"


def test_yes_and_no_spell_a_choice_that_has_them(shell, kitchen):
    Path("a.yaml").write_text("mixed_precision: no\n")
    assert shell("diffusion", "train", "--vae", "v", "--data-dir", "x", "-c", "a.yaml").code == 0
    assert kitchen.settings.loop.mixed_precision == "no"


def test_a_preset_is_a_settings_file(shell, kitchen):
    assert shell(*TRAIN, "--config", "vae-tiny").code == 0
    assert kitchen.settings.data.image_size == 32
    assert kitchen.console.origins["image_size"] == "vae-tiny:3"


def test_every_error_is_told_at_once_with_where_it_stands(shell, kitchen):
    Path("bad.toml").write_text('[loop]\nepochs = true\nbatch_sise = 3\n[run]\nlr = 1\nseed = "x"\nlog_every = nan\n')
    ran = shell("vae", "train", "-c", "bad.toml", "--grad-accum", "0", "--image-size", "many")
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.startswith("error[RSF-U001]: 8 settings were rejected\n")
    assert "no key loop.batch_sise: did you mean batch_size? (found 3, bad.toml:3)" in ran.err
    assert "no key run.lr: it stands in [optim] (found 1, bad.toml:5)" in ran.err
    assert "and 3 more" in ran.err
    assert len(ran.err.splitlines()) <= 8
    assert kitchen.settings is None


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("epochs = true", "--epochs must not be true or false"),
        ("lr = nan", "--learning-rate must be a finite number"),
        ("lr = inf", "--learning-rate must be a finite number"),
        ("epochs = 2.5", "--epochs must be a valid integer"),
        ('data_dir = ""', "--data-dir must not be empty"),
        ('device = "tpu"', "--device must be one of auto | cuda | cuda:N | mps | cpu"),
        ('lr_scheduler = "cosin"', "did you mean cosine?"),
        ("lr = 1\nlearning_rate = 2", "--learning-rate is given twice"),
        ("run = 3", "no key run"),
        ("epochs = {a = 1}", "no key epochs.a"),
        ("channels = [8, true, 0]", "--channels must be"),
    ],
)
def test_one_error_names_option_line_value_and_remedy(shell, kitchen, text, told):
    Path("bad.toml").write_text(text)
    given = [] if "data_dir" in text else ["--data-dir", "x"]
    ran = shell("vae", "train", *given, "-c", "bad.toml")
    assert ran.code == 2
    assert ran.err.startswith("error[RSF-U001]: ") and told in ran.err.splitlines()[0]
    assert "bad.toml:1" in ran.err and "  fix:   " in ran.err


@pytest.mark.parametrize("words", [("--lora", ""), ("--lora", "a", "--lora", " "), ("--set", "lora=")])
def test_an_unset_variable_is_no_list(shell, words):
    ran = shell("sample", "text", "--pipeline", "m", "--prompt", "p", *words)
    assert ran.code == 2 and "--lora must not be empty or hold a NUL character" in ran.err
    assert shell(*TRAIN, "--channels", "").code == 2


def test_a_required_setting_is_named(shell, kitchen):
    ran = shell("vae", "train")
    assert ran.code == 2 and "--data-dir is required" in ran.err
    assert "`rsforge config schema vae.train`" in ran.err


@pytest.mark.parametrize("words", [("train",), ("evaluate", "--checkpoint", "c.pt")])
def test_pairs_are_nowhere_by_default(shell, words):
    ran = shell("cyclegan", *words)
    told = "--data-dir is required: folder of SAR and optical pairs; the word `synthetic` generates pairs instead"
    assert ran.code == 2 and told in ran.err


def test_settings_that_do_not_fit_together(shell, kitchen):
    ran = shell("diffusion", "train", "--vae", "v", "--data-dir", "x", "--zero-terminal-snr")
    assert ran.code == 2 and ran.err.startswith("error[RSF-U005]: --zero-terminal-snr does not fit --prediction eps")


@pytest.mark.parametrize(
    ("name", "text", "code"),
    [
        ("missing.toml", None, "RSF-U003"),
        ("a.toml", "epochs = ", "RSF-U003"),
        ("a.toml", "epochs = 1\nepochs = 2", "RSF-U003"),
        ("a.json", '{"epochs": 1, "epochs": 2}', "RSF-U003"),
        ("a.json", "[1]", "RSF-U003"),
        ("a.json", "[" * 100000, "RSF-U003"),
        ("a.yaml", "epochs: 1\nepochs: 2", "RSF-U003"),
        ("a.yaml", "epochs: [", "RSF-U003"),
        ("a.yaml", "!!python/object/apply:os.getcwd []", "RSF-U003"),
        ("a.toml", b"\xff\xfe", "RSF-U003"),
        ("a.toml", b"#" * (1 << 21), "RSF-U003"),
        ("vae-tinny", None, "RSF-U007"),
    ],
)
def test_unreadable_files(shell, kitchen, name, text, code):
    if text is not None:
        Path(name).write_bytes(text if isinstance(text, bytes) else text.encode())
    ran = shell(*TRAIN, "-c", name)
    assert ran.code == 2 and ran.err.startswith(f"error[{code}]"), ran.err
    assert name != "vae-tinny" or "did you mean vae-tiny?" in ran.err


def test_a_folder_is_no_settings_file(shell, kitchen):
    Path("folder.toml").mkdir()
    assert shell(*TRAIN, "-c", "folder.toml").code == 6


def test_set_needs_a_key_and_a_value(shell, kitchen):
    assert "error[RSF-U002]: --set takes KEY=VALUE" in shell(*TRAIN, "--set", "epochs").err
    assert "did you mean epochs?" in shell(*TRAIN, "--set", "epocs=3").err


def test_none_is_understood_where_nothing_is_a_value(shell, kitchen):
    Path("a.toml").write_text("ddim_steps = 5\n")
    needed = ["--diffusion-checkpoint", "d", "--vae", "v"]
    assert shell("sample", *needed, "-c", "a.toml", "--set", "ddim_steps=none").code == 0
    assert kitchen.settings.ddim_steps is None


def test_what_the_recipe_is_told_of_the_command(shell, kitchen):
    argv = [*TRAIN, "--output_dir", "my runs", "--dry-run"]
    kitchen.serve = lambda settings, console: {"steps": 7}
    ran = shell(*argv, "--json")
    assert kitchen.console.argv == [*argv, "--json"]
    assert kitchen.console.command == "rsforge vae train --data-dir x --output_dir 'my runs' --dry-run --json"
    assert kitchen.console.dry_run is True
    data = json.loads(ran.out)
    assert data["dry_run"] is True and data["plan"] == {"steps": 7}
    assert data["settings"]["run"]["output_dir"] == "my runs"
    assert data["origins"]["output_dir"] == "option"


def test_base_dir_joins_what_the_recipe_receives(shell, kitchen):
    assert shell(*TRAIN, "--base-dir", "/w", "--resume", "last.pt", "--output-dir", "/abs").code == 0
    s = kitchen.settings
    assert (s.data.data_dir, s.run.resume, s.run.output_dir) == ("/w/x", "/w/last.pt", Path("/abs"))
    assert shell("vae", "train", "--data-dir", "synthetic", "--base-dir", "/w", "--resume").code == 0
    assert (kitchen.settings.data.data_dir, kitchen.settings.run.resume) == ("synthetic", "auto")


def test_commas_in_braces_are_of_one_name():
    leaf = leaves(CycleGanTranslateSettings)["input"]
    assert leaf.read("a/P_{VV,VH}.tif,b.tif, c.tif") == ["a/P_{VV,VH}.tif", "b.tif", "c.tif"]
    assert leaf.read(["{a,b}_{1,2}.tif", "x{,y"]) == ["{a,b}_{1,2}.tif", "x{", "y"]
