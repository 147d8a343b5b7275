"""Spellings: underscores, lists, options with an optional value, and every line of the document."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from rsforge.cli.argv import expand

DIFFUSION = ("diffusion", "train", "--vae-checkpoint", "v.pt", "--image-dir", "x")
DRAW = ("sample", "--diffusion-checkpoint", "d.pt", "--vae-checkpoint", "v.pt")


@pytest.mark.parametrize("spelling", ["8 16", "8,16", "8 --channels 16", "8, 16"])
def test_lists(shell, kitchen, spelling):
    assert shell("vae", "train", "--channels", *spelling.split(), "--data-dir", "x").code == 0
    assert kitchen.settings.autoencoder.channels == (8, 16)


@pytest.mark.parametrize(
    ("words", "value"),
    [
        ([], "auto"),
        (["--mixed-precision"], "auto"),
        (["--mixed_precision", "--no-ema"], "auto"),
        (["--mixed-precision", "bf16"], "bf16"),
        (["--mixed-precision=fp16"], "fp16"),
        (["--no-mixed-precision"], "no"),
        (["--no_mixed_precision", "--epochs", "3"], "no"),
    ],
)
def test_mixed_precision(shell, kitchen, words, value):
    assert shell(*DIFFUSION, *words).code == 0
    assert kitchen.settings.loop.mixed_precision == value


@pytest.mark.parametrize("flag", ["--use-8bit-adam", "--use_8bit_adam"])
def test_a_flag_may_stand_for_a_value(shell, kitchen, flag):
    assert shell(*DIFFUSION, flag).code == 0
    assert kitchen.settings.optim.optimizer == "adamw-8bit"
    assert "--use-8bit-adam" in shell("diffusion", "train", "--help").out


@pytest.mark.parametrize(
    ("words", "value"), [(["--resume"], "auto"), (["--resume", "a.pt"], "a.pt"), (["--resume_from=a.pt"], "a.pt")]
)
def test_resume(shell, kitchen, words, value):
    assert shell(*DIFFUSION, *words).code == 0
    assert kitchen.settings.run.resume == value


def test_underscores_in_options_are_mended_and_in_values_left_alone(shell, kitchen):
    assert shell(*DIFFUSION, "--output_dir", "my_runs", "--lr_scheduler=cosine_warm_restarts").code == 0
    assert kitchen.settings.run.output_dir == Path("my_runs")
    assert expand(["vae", "train", "--output-dir", "--data_dir"])[-1] == "--data_dir"


@pytest.mark.parametrize(
    ("alias", "value", "where"),
    [
        ("--lr", "0.5", lambda s: s.optim.learning_rate == 0.5),
        ("--learning-rate", "0.5", lambda s: s.optim.learning_rate == 0.5),
        ("--dataset_path", "y", lambda s: s.data.data_dir == "y"),
        ("--data-dir", "y", lambda s: s.data.data_dir == "y"),
        ("--save-dir", "y", lambda s: s.run.output_dir == Path("y")),
        ("--vae", "y", lambda s: s.denoiser.vae_checkpoint == Path("y")),
        ("--gradient_accumulation_steps", "4", lambda s: s.loop.grad_accum == 4),
        ("--grad-clip-norm", "0", lambda s: s.loop.max_grad_norm == 0),
        ("--warmup-steps", "9", lambda s: s.optim.lr_warmup_steps == 9),
    ],
)
def test_aliases(shell, kitchen, alias, value, where):
    assert shell(*DIFFUSION, alias, value).code == 0
    assert where(kitchen.settings)


def test_behind_two_dashes_nothing_is_touched():
    assert expand(["info", "--", "--a_b"]) == ["info", "--", "--a_b"]


def test_a_negative_number_is_a_value(shell, kitchen):
    ran = shell("vae", "train", "--data-dir", "x", "--channels", "8", "-1")
    assert ran.code == 2 and "--channels must be greater than or equal to 1" in ran.err


ALL = "training_data/corel/corel_all"
ONE = "training_data/corel/class_0001"
# Every command line of the document, its `python SCRIPT.py` replaced, and what it must come to.
DOCUMENT = [
    (f"vae train --data-dir {ALL} --output-dir vae_models",
     lambda s: (s.data.data_dir, s.run.output_dir) == (ALL, Path("vae_models"))),
    (f"vae train --data-dir {ONE} --output-dir vae_models/class_0001",
     lambda s: (s.data.data_dir, s.run.output_dir) == (ONE, Path("vae_models/class_0001"))),
    (f"vae train --data-dir {ALL} --output-dir vae_models --epochs 400 --latent-dim 256 --batch-size 32",
     lambda s: (s.loop.epochs, s.autoencoder.latent_dim, s.loop.batch_size) == (400, 256, 32)),
    (f"diffusion train --vae-checkpoint vae_models/best_model.pt --image-dir {ALL} --output-dir diffusion_models",
     lambda s: (s.denoiser.vae_checkpoint, s.data.data_dir) == (Path("vae_models/best_model.pt"), ALL)),
    (f"diffusion train --vae-checkpoint vae_models/class_0001/best_model.pt --image-dir {ONE} "
     "--output-dir diffusion_models/class_0001",
     lambda s: s.run.output_dir == Path("diffusion_models/class_0001")),
    (f"diffusion train --vae-checkpoint vae_models/best_model.pt --image-dir {ALL} --output-dir diffusion_models "
     "--epochs 600 --batch-size 8 --grad-accum 2",
     lambda s: (s.loop.epochs, s.loop.batch_size, s.loop.grad_accum) == (600, 8, 2)),
    ("sample --diffusion-checkpoint diffusion_models/best_model.pt --vae-checkpoint vae_models/best_model.pt "
     "--output generated_images.png", lambda s: (s.ddim_steps, s.num_images) == (None, 16)),
    ("sample --diffusion-checkpoint diffusion_models/best_model.pt --vae-checkpoint vae_models/best_model.pt "
     "--num-images 32 --ddim-steps 50 --output generated_images.png",
     lambda s: (s.ddim_steps, s.num_images) == (50, 32)),
    ("sample --diffusion-checkpoint diffusion_models/best_model.pt --vae-checkpoint vae_models/best_model.pt "
     "--num-images 64 --ddim-steps 50 --output corel_64_images.png --nrow 8",
     lambda s: (s.num_images, s.nrow, s.output) == (64, 8, Path("corel_64_images.png"))),
    (f"vae train --data-dir {ALL} --output-dir /workspace/vae_models --base-dir /workspace",
     lambda s: (s.data.data_dir, s.run.output_dir) == (f"/workspace/{ALL}", Path("/workspace/vae_models"))),
    (f"diffusion train --vae-checkpoint /workspace/vae_models/best_model.pt --image-dir /workspace/{ALL} "
     "--output-dir /workspace/diffusion_models --base-dir /workspace",
     lambda s: (s.data.data_dir, s.denoiser.vae_checkpoint)
     == (f"/workspace/{ALL}", Path("/workspace/vae_models/best_model.pt"))),
    ("sample --diffusion-checkpoint /workspace/diffusion_models/best_model.pt --vae-checkpoint "
     "/workspace/vae_models/best_model.pt --output /workspace/generated_images.png --base-dir /workspace",
     lambda s: s.output == Path("/workspace/generated_images.png")),
    (f"vae train --data-dir {ALL} --output-dir vae_models --epochs 300", lambda s: s.loop.epochs == 300),
    (f"diffusion train --vae-checkpoint vae_models/best_model.pt --image-dir {ALL} --output-dir diffusion_models "
     "--epochs 500", lambda s: s.loop.epochs == 500),
    ("sample --diffusion-checkpoint diffusion_models/best_model.pt --vae-checkpoint vae_models/best_model.pt "
     "--num-images 16 --output corel_generated.png", lambda s: s.output == Path("corel_generated.png")),
    ("vae train --data-dir x --base-dir . --learning-rate 1e-4 --kl-weight 1.0 --kl-warmup 150 --kl-target 25.0 "
     "--no-perceptual --perceptual-weight 0.03 --resume c.pt --seed 42 --num-workers 0",
     lambda s: (s.autoencoder.perceptual, s.run.resume, s.run.num_workers) == ("no", "c.pt", 0)),
    ("diffusion train --vae-checkpoint v --image-dir x --lr 2e-4 --image-size 64 --no-ema --ema-decay 0.9 --schedule "
     "cosine --no-mixed-precision --lr-scheduler plateau --lr-min 1e-6 --early-stopping-patience 3 "
     "--early-stopping-delta 1e-4 --oscillation-window 5 --oscillation-threshold 0.001 --num-workers 0 --resume c.pt",
     lambda s: (s.optim.learning_rate, s.data.image_size, s.average.ema, s.denoiser.schedule, s.loop.mixed_precision,
                s.optim.lr_scheduler) == (2e-4, 64, False, "cosine", "no", "plateau")),
    ("sample --diffusion-checkpoint d --vae-checkpoint v --batch-size 4 --seed 7 --device cpu",
     lambda s: (s.batch_size, s.seed, s.device) == (4, 7, "cpu")),
]  # fmt: skip


@pytest.mark.parametrize(("line", "holds"), DOCUMENT, ids=range(len(DOCUMENT)))
def test_the_document(shell, kitchen, line, holds):
    ran = shell(*shlex.split(line))
    assert ran.code == 0, ran.err
    assert holds(kitchen.settings)


@pytest.mark.parametrize("name", ["cosine", "cosine_warm_restarts", "plateau", "none"])
def test_the_schedulers_of_the_document(shell, kitchen, name):
    assert shell(*DIFFUSION, "--lr-scheduler", name).code == 0
    assert kitchen.settings.optim.lr_scheduler == name


@pytest.mark.parametrize("words", ["--data-dir x --pipeline sd", "--clip_model=clip --checkpoint a.pt"])
def test_an_option_that_another_command_has_names_that_one(words):
    assert expand(["diffusion", "evaluate", *words.split()])[:2] == ["diffusion", "evaluate-text"]
    assert expand(["diffusion", "evaluate", "--data-dir", "x"])[:3] == ["diffusion", "evaluate", "--data-dir"]
    words = ["diffusion", "evaluate", "--data-dir", "x", "--checkpoint"]
    assert expand([*words, "a.pt"])[:2] == ["diffusion", "evaluate-unconditional"]
    assert expand([*words, "a.pt", "--clip-model", "c"])[:2] == ["diffusion", "evaluate-text"]


@pytest.mark.parametrize("words", ["--prompt field", "--seed 1 --pipeline=sd", "--prompts_file a.txt --seed 1"])
def test_an_option_that_one_command_has_names_it(words):
    assert expand(["sample", *words.split()])[:2] == ["sample", "text"]
    assert expand(["sample", "text", *words.split()])[:3] == expand(["sample", *words.split()])[:3]


def test_an_option_names_no_command_where_one_is_named():
    assert expand(["sample", "single", "--prompt", "field"]) == ["sample", "single", "--prompt", "field"]
    assert expand(["sample", "--seed", "1"])[1] == "--seed"


@pytest.mark.parametrize("words", ["--mode batch --input-dir x", "--input_dir x --mode=batch"])
def test_a_mode_names_the_command(words):
    expanded = expand(["sample", *words.split()])
    assert expanded == ["sample", "batch", "--input-dir", "x"]


def test_a_mode_that_is_no_command_stays_what_was_typed():
    assert expand(["sample", "--mode", "dream"]) == ["sample", "--mode", "dream"]
    assert expand(["vae", "train", "--mode", "batch"]) == ["vae", "train", "--mode", "batch"]
