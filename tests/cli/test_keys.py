"""Settings files of the source documents load unchanged; what nobody knows is refused with the nearest key."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from rsforge.cli.config_files import Entry
from rsforge.cli.keys import is_known
from rsforge.cli.leaves import leaves
from rsforge.cli.tree import COMMANDS
from rsforge.settings.clip import ClipTrainSettings
from rsforge.settings.diffusion_sar import SarTrainSettings
from rsforge.settings.file_keys import FileKey
from tests.worlds.coming import CLIP_CONFIG, MODEL_CONFIG

TRAIN = ("vae", "train", "--data-dir", "x")


@pytest.fixture
def clip(toy):
    Path("clip_config.json").write_text(CLIP_CONFIG)
    return toy(ClipTrainSettings)


@pytest.fixture
def sar(toy):
    Path("model_config.json").write_text(MODEL_CONFIG)
    return toy(SarTrainSettings)


SAR = ("toy", "--dataset_path", "D", "--clip_checkpoint", "c.pt")


def numbered(text: str, key: str) -> int:
    return 1 + next(i for i, line in enumerate(text.splitlines()) if f'"{key}"' in line)


def test_the_settings_file_of_the_text_encoder(shell, clip):
    ran = shell("toy", "--dataset_path", "D", "--config_file", "clip_config.json")
    assert ran == (0, "done  1\n", "")
    s = clip.settings
    assert (s.encoder.vocab_size, s.encoder.embedding_dim, s.encoder.max_length) == (1000, 768, 77)
    assert (s.encoder.num_heads, s.encoder.num_layers) == (12, 12)
    assert (s.loop.batch_size, s.loop.epochs, s.loop.save_every) == (32, 50, 5)
    assert (s.optim.learning_rate, s.optim.weight_decay, s.optim.lr_warmup_steps) == (1e-4, 0.01, 1000)
    assert (s.data.val_fraction, s.run.num_workers, s.run.pin_memory) == (0.2, 4, True)
    names = {"embedding_dim": "embedding_dim", "lr_warmup_steps": "warmup_steps", "val_fraction": "train_split"}
    for name, key in names.items():
        assert clip.console.origins[name] == f"clip_config.json:{numbered(CLIP_CONFIG, key)}"


@pytest.mark.parametrize(
    ("tree", "holds"),
    [
        ({"learning_rate": 1e-4, "lr_scheduler": "cosine", "warmup_steps": 1000, "min_lr": 1e-6},
         lambda s: (s.optim.lr_scheduler, s.optim.lr_warmup_steps, s.optim.lr_min) == ("cosine", 1000, 1e-6)),
        ({"weight_decay": 0.02, "dropout": 0.2, "grad_clip_norm": 2.0},
         lambda s: (s.optim.weight_decay, s.encoder.dropout, s.loop.max_grad_norm) == (0.02, 0.2, 2.0)),
    ],
)  # fmt: skip
def test_the_tuning_keys_of_the_text_encoder(shell, clip, tree, holds):
    Path("a.json").write_text(json.dumps(tree))
    assert shell("toy", "--data-dir", "D", "-c", "a.json").code == 0
    assert holds(clip.settings)


def test_options_go_over_the_documents_file(shell, clip):
    words = ["--dataset_path", "D", "--config_file", "clip_config.json", "--batch_size", "8", "--num_heads", "4"]
    assert shell("toy", *words).code == 0
    assert (clip.settings.loop.batch_size, clip.settings.encoder.num_heads) == (8, 4)
    assert clip.console.origins["batch_size"] == "option"


def test_the_settings_file_of_the_main_model(shell, sar):
    ran = shell(*SAR, "--config_file", "model_config.json")
    assert ran == (0, "done  1\n", "")
    s = sar.settings
    assert (s.clip.vocab_size, s.clip.embedding_dim, s.clip.num_heads, s.clip.num_layers) == (1000, 768, 12, 12)
    assert s.unet.channels == (320, 640, 1280, 1280)
    assert (s.unet.attention_levels, s.unet.layers_per_block, s.unet.num_heads) == ((4, 2, 1), 2, 8)
    assert (s.loop.batch_size, s.loop.epochs, s.loop.validate_every, s.loop.grad_accum) == (4, 100, 5, 4)
    assert (s.loop.mixed_precision, s.loop.max_grad_norm) == ("auto", 1.0)
    assert (s.data.val_fraction, s.run.pin_memory) == (0.2, True)
    lines = [numbered(MODEL_CONFIG, key) for key in ("model_channels", "channel_mult")]
    assert sar.console.origins["unet_channels"] == f"model_config.json:{lines[0]},{lines[1]}"
    assert sar.console.origins["unet_num_heads"] == f"model_config.json:{numbered(MODEL_CONFIG, 'num_heads')}"


SHORTER = [
    ({"learning_rate": 1e-4, "lr_scheduler": "cosine", "warmup_steps": 1000, "min_lr": 1e-6},
     lambda s: (s.optim.lr_scheduler, s.optim.lr_warmup_steps, s.optim.lr_min) == ("cosine", 1000, 1e-6)),
    ({"weight_decay": 0.01, "grad_clip_norm": 1.0}, lambda s: s.loop.max_grad_norm == 1.0),
    ({"learning_rate": 1e-4, "beta1": 0.9, "beta2": 0.999, "eps": 1e-8, "weight_decay": 0.01},
     lambda s: (s.optim.betas, s.optim.adam_epsilon) == ((0.9, 0.999), 1e-8)),
    ({"beta1": 0.5}, lambda s: s.optim.betas == (0.5, 0.999)),
    ({"training": {"beta2": 0.99, "eps": 1e-6}},
     lambda s: (s.optim.betas, s.optim.adam_epsilon) == ((0.9, 0.99), 1e-6)),
    ({"mse_loss_weight": 1.0, "perceptual_loss_weight": 0.1, "adversarial_loss_weight": 0.01},
     lambda s: (s.loss.perceptual_weight, s.loss.adversarial_weight) == (0.1, 0.01)),
    ({"augmentation": {"horizontal_flip": 0.5, "rotation": 10, "color_jitter": {"brightness": 0.1, "contrast": 0.1,
      "saturation": 0.1, "hue": 0.05}, "gaussian_noise": 0.01}},
     lambda s: (s.augment.rotate_deg, s.augment.hue, s.augment.noise, s.augment.brightness) == (10, 0.05, 0.01, 0.1)),
    ({"train_split": 0.9}, lambda s: s.data.val_fraction == 0.1),
    ({"diffusion_config": {"channel_mult": [1, 2]}}, lambda s: s.unet.channels == (320, 640)),
    ({"diffusion_config": {"model_channels": 8}}, lambda s: s.unet.channels == (8, 16, 32, 32)),
]  # fmt: skip


@pytest.mark.parametrize(("tree", "holds"), SHORTER, ids=range(len(SHORTER)))
def test_the_shorter_forms_of_the_guide(shell, sar, tree, holds):
    flips = "horizontal_flip" in json.dumps(tree)
    Path("a.json").write_text(json.dumps(tree, indent=1))
    ran = shell(*SAR, "-c", "a.json")
    assert ran.code == 0, ran.err
    assert holds(sar.settings)
    assert not flips or sar.settings.data.flip == 0.5


def test_set_may_use_the_same_keys(shell, sar):
    words = ["--set", "train_split=0.75", "--set", "diffusion_config.channel_mult=1,3", "--set", "beta1=0.5"]
    assert shell(*SAR, *words).code == 0
    s = sar.settings
    assert (s.data.val_fraction, s.unet.channels, s.optim.betas) == (0.25, (320, 960), (0.5, 0.999))
    assert sar.console.origins["unet_channels"] == "--set"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('{"training": {"bach_size": 3}}', "no key training.bach_size: did you mean batch_size? (found 3, a.json:1)"),
        ('{"diffusion_config": {"model_chanels": 3}}', "did you mean model_channels?"),
        ('{"augmentation": {"color_jitter": {"hues": 1}}}', "no key augmentation.color_jitter.hues: did you mean hue?"),
        ('{"seed": {"a": {"b": 1}}}', "no key seed.a.b"),
        ('{"diffusion_config": {"in_channels": 4}}', "the key diffusion_config.in_channels must be 8: four"),
        ('{"diffusion_config": {"use_spatial_transformer": 1}}', "use_spatial_transformer must be true"),
        ('{"train_split": true}', "the key train_split must be a number (found True, a.json:1)"),
        ('{"train_split": "most"}', "the key train_split must be a number (found most, a.json:1)"),
        ('{"diffusion_config": {"channel_mult": 4}}', "channel_mult must be a list of numbers"),
        ('{\n"data": {\n"train_split": 1.5}}', "at most 1: the share of images to train on (found 1.5, a.json:3)"),
        ('{"diffusion_config": {"channel_mult": [1, 1.001]}}', "--unet-channels must be a valid integer"),
        ('{"train_split": 0.8,\n"data": {"train_split": 0.9}}', "the key train_split, data.train_split is given twice"),
        ('{"train_split": 0.8,\n"val_fraction": 0.9}', "--val-fraction is given twice"),
        ('{"eps": 1e-8,\n"adam_epsilon": 1e-8}', "--adam-epsilon is given twice"),
    ],
)  # fmt: skip
def test_what_a_key_cannot_mean_is_refused_where_it_stands(shell, sar, text, told):
    Path("a.json").write_text(text)
    ran = shell(*SAR, "-c", "a.json")
    assert ran.code == 2
    what, where, found, *_ = [*ran.err.removeprefix("error[RSF-U001]: ").splitlines(), ""]
    where, found = where.removeprefix("  where: "), found.removeprefix("  found: ")
    assert told in ran.err or told in f"{what} (found {found}, {where})", ran.err


@pytest.mark.parametrize(
    ("name", "text", "line"),
    [
        ("a.toml", "[augmentation]\nhorizontal_flip = 0.25\n[augmentation.color_jitter]\nbrightness = 0.1\n"
         "contrast = 0.1\nsaturation = 0.1\n", "4,5,6"),
        ("a.toml", "[augmentation]\nhorizontal_flip = 0.25\ncolor_jitter = {brightness = 0.1, contrast = 0.1, "
         "saturation = 0.1}\n", "3"),
        ("a.toml", "augmentation.horizontal_flip = 0.25\naugmentation.color_jitter.brightness = 0.1\n"
         "augmentation.color_jitter.contrast = 0.1\naugmentation.color_jitter.saturation = 0.1\n", "2,3,4"),
        ("a.yaml", "augmentation:\n  horizontal_flip: 0.25\n  color_jitter:\n    brightness: 0.1\n    contrast: 0.1\n"
         "    saturation: 0.1\n", "4,5,6"),
    ],
)  # fmt: skip
def test_landed_commands_take_the_augmentation_of_the_document(shell, kitchen, name, text, line):
    Path(name).write_text(text)
    for argv in (TRAIN, ("diffusion", "train", "--vae", "v", "--data-dir", "x")):
        assert shell(*argv, "-c", name) == (0, "done  1\n", "")
        assert (kitchen.settings.data.flip, kitchen.settings.data.jitter) == (0.25, 0.1)
        assert kitchen.console.origins["jitter"] == f"{name}:{line}"
        assert kitchen.console.origins["flip"].startswith(f"{name}:")


def test_one_strength_cannot_be_three(shell, kitchen):
    Path("a.json").write_text('{"augmentation": {"color_jitter": {"brightness": 0.1, "contrast": 0.3}}}')
    ran = shell(*TRAIN, "-c", "a.json")
    assert ran.code == 2 and "--jitter is one strength for them" in ran.err
    Path("a.json").write_text('{"augmentation": {"rotation": 10}}')
    assert "there is no key augmentation.rotation" in shell(*TRAIN, "-c", "a.json").err


def test_the_training_section_of_the_document_fits_landed_commands(shell, kitchen):
    text = (
        '{"training": {"batch_size": 4, "learning_rate": 1e-3, "mixed_precision": true}, "data": {"train_split": 0.7}}'
    )
    Path("a.json").write_text(text)
    assert shell(*TRAIN, "-c", "a.json").code == 0
    s = kitchen.settings
    assert (s.loop.batch_size, s.optim.learning_rate, s.loop.mixed_precision) == (4, 1e-3, "auto")
    assert s.data.val_fraction == 0.3
    assert json.loads(shell("config", "validate", "a.json", "--json").out)["a.json"].count("train") == 9


@pytest.mark.parametrize("tables", [{"file_keys": (FileKey("epoch", ("e",)),)}, {"variables": {"E": "epoch"}}])
def test_a_table_that_names_no_setting_is_the_programmers_mistake(tables):
    model = type("Wrong", (ClipTrainSettings,), {"__module__": __name__, "__doc__": "x", **tables})
    with pytest.raises(TypeError, match="Wrong: no setting is called epoch"):
        is_known(model, Entry(("epochs",), 1, ""))


def test_the_tables_of_all_commands_name_settings():
    assert all(is_known(c.model, Entry((name,), 1, "")) for c in COMMANDS.values() for name in leaves(c.model))


def test_a_tree_without_end_is_refused(shell, kitchen):
    Path("a.yaml").write_text("a: &a\n  b: *a\n")
    assert "nested deeper than 8" in shell(*TRAIN, "-c", "a.yaml").err
    wide = "a: &a0 {" + ", ".join(f"k{i}: 1" for i in range(100)) + "}\n"
    for level in range(1, 5):
        wide += f"l{level}: &a{level} {{" + ", ".join(f"k{i}: *a{level - 1}" for i in range(100)) + "}\n"
    Path("a.yaml").write_text(wide)
    assert "it holds more than 10000 keys" in shell(*TRAIN, "-c", "a.yaml").err
