"""``rsforge cyclegan train`` on drawn pairs of 32 pixels."""

from __future__ import annotations

import json
import shutil
from operator import itemgetter

import numpy as np
import pytest
import torch
from PIL import Image

from rsforge.data.io.image_writer import to_uint8
from rsforge.engine import checkpoint
from rsforge.engine.journal import read
from rsforge.models.vgg import VggFeatures
from rsforge.recipes.console import SilentConsole
from rsforge.recipes.cyclegan import sar_level
from rsforge.recipes.cyclegan.load import load_generator
from rsforge.recipes.cyclegan.train import config as tracked_config
from rsforge.recipes.datasets.pairs import load_pairs
from rsforge.recipes.evaluation.linear_sar import fit_linear_sar
from rsforge.settings.base import RunSettings
from rsforge.settings.cyclegan import CycleGanTrainSettings
from rsforge.settings.pairs import PairTrainingSettings
from tests.worlds.commands import rsforge

TINY = "--image-size 32 --base-width 4 --num-workers 0 --batch-size 4 --pool-size 3 --log-every 1 "
NO_VGG = "--lambda-content 0 "
LINE = "cyclegan train --data-dir {} --output-dir {} " + TINY + NO_VGG
NETS = ("gen_AB", "gen_BA", "disc_X", "disc_Y")


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pairs") / "world"
    assert rsforge("data synth --kind pairs --count 16 --size 32 --output-dir {}", folder) == 0
    return folder


@pytest.fixture(scope="module")
def run(world, tmp_path_factory):
    folder = tmp_path_factory.mktemp("run") / "cyclegan_models"
    assert rsforge(LINE + "--epochs 4 --save-every 2 --sample-every 2 --keep-checkpoints 1 --ema", world, folder) == 0
    return folder


def test_a_run_writes_what_the_document_names(run):
    there = {p.relative_to(run).as_posix() for p in run.rglob("*") if p.is_file()}
    assert {"best_model.pt", "latest_model.pt", "checkpoint_epoch_4.pt", *(f"{net}.pth" for net in NETS)} <= there
    assert {f"checkpoints/{net}_epoch_4.pth" for net in NETS} <= there
    assert not {f"checkpoints/{net}_epoch_2.pth" for net in NETS} & there
    assert {"output_images/epoch_2_sample.png", "output_images/epoch_4_sample.png"} <= there
    assert {"loss_plot_avg_epoch.png", "journal.jsonl", "settings.json"} <= there
    assert any(name.startswith("tensorboard/events") for name in there)


def test_previews_show_the_same_held_out_pairs_every_time(world, run):
    data = PairTrainingSettings(data_dir=str(world), image_size=32)
    held_out = load_pairs(data, RunSettings(output_dir=run), SilentConsole()).held_out
    sheets = []
    for epoch in (2, 4):
        with Image.open(run / f"output_images/epoch_{epoch}_sample.png") as picture:
            assert picture.size == (3 * 132 + 4, 4 * 132 + 26)
            sheets.append(np.asarray(picture.convert("RGB")))
    for row in range(4):
        sar, optical = held_out[0, row * len(held_out) // 4]
        for column, wanted in enumerate((sar, optical)):
            y, x = 26 + 132 * row, 4 + 132 * column
            box = (slice(y, y + 128, 4), slice(x, x + 128, 4))
            for sheet in sheets:
                np.testing.assert_array_equal(sheet[box], to_uint8(wanted[None])[0])
    assert not np.array_equal(*sheets)


def test_the_journal_has_the_documents_names_weighted_and_as_they_are(run):
    rows = read(run / "journal.jsonl")
    step = rows[0]
    assert {"D_Loss_X", "D_Loss_Y", "Total_D_Loss", "G_Loss_Adv_AB", "G_Loss_Adv_BA", "G_Loss_L1_AB", "G_Loss_Cycle_A",
            "G_Loss_Cycle_B", "Total_G_Loss"} <= set(step)  # fmt: skip
    assert step["G_Loss_L1_AB"] == pytest.approx(100 * step["unweighted/G_Loss_L1_AB"], rel=1e-5)
    assert step["G_Loss_Cycle_A"] == pytest.approx(10 * step["unweighted/G_Loss_Cycle_A"], rel=1e-5)
    closed = [row for row in rows if row.get("closed")]
    assert [row["epoch"] for row in closed] == [1, 2, 3, 4]
    assert {"val/l1", "val/score", "val/cycle", "val/psnr_db", "val/ssim", "Total_G_Loss", "Total_D_Loss"} <= set(
        closed[0]
    )


def test_bare_weights_are_those_of_the_best_model(run):
    state = checkpoint.load(run / "best_model.pt")
    shadow = state["parts"]["ema"]["shadow"]
    weights = torch.load(run / "gen_AB.pth", weights_only=True)
    name = "to_image.weight"
    torch.testing.assert_close(weights[name], shadow[f"gen_AB.{name}"])
    assert not torch.equal(weights[name], state["nets"]["gen_AB"][name])


def test_trackers_show_the_pictures_of_each_preview(run):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(run / "tensorboard")).Reload()
    assert {tag.rsplit("/", 1)[0] if tag.rsplit("/", 1)[-1].isdigit() else tag for tag in events.Tags()["images"]} >= {
        "Examples/Input_Grayscale_S1", "Examples/Target_Color_S2", "Examples/Generated_Color",
    }  # fmt: skip


@pytest.mark.parametrize(
    "more",
    [
        "--batch-size 2 --grad-accum 2 --norm batch --linear-path --sar-level both",
        "--gan-loss wgan-gp --lr-disc 5e-4 --flip 0.5 --half-turn 0.5",
    ],
)
def test_a_resumed_run_is_one_never_interrupted(world, tmp_path, more):
    line = LINE + f"--save-every 2 --sample-every 2 --report-to none {more} "
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    assert rsforge(line + "--epochs 2", world, whole) == 0
    assert rsforge(line + "--epochs 1", world, cut) == 0
    assert rsforge(line + "--epochs 2 --resume", world, cut) == 0
    for name in ("journal.jsonl", "output_images/epoch_2_sample.png", *(f"{net}.pth" for net in NETS)):
        assert (whole / name).read_bytes() == (cut / name).read_bytes(), name
    first, second = (dict(checkpoint.tensors(checkpoint.load(f / "latest_model.pt"))) for f in (whole, cut))
    assert first.keys() == second.keys()
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert {"/parts/own/pools/0/disc_X", "/parts/own/pools/0/disc_Y"} <= first.keys()
    for group in ("generators", "critics"):
        assert any(name.startswith(f"/parts/optimizer/{group}/state") for name in first)


def test_without_pools_the_run_goes_elsewhere(world, tmp_path):
    """The comparison above would not notice pools that are never used."""
    for name, size in (("with", 3), ("without", 0)):
        assert rsforge(LINE + f"--epochs 2 --pool-size {size}", world, tmp_path / name) == 0
    assert (tmp_path / "with/disc_X.pth").read_bytes() != (tmp_path / "without/disc_X.pth").read_bytes()


def test_content_needs_weights_and_says_both_ways_out(world, tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    line = "cyclegan train --data-dir {} --output-dir {} --epochs 1 " + TINY
    assert rsforge(line + "--perceptual", world, tmp_path / "run") == 6
    told = capsys.readouterr().err
    assert "RSF-E007" in told and "--vgg-weights" in told and "--no-perceptual" in told
    assert not (tmp_path / "run").exists()
    torch.manual_seed(0)
    torch.save(VggFeatures().state_dict(), tmp_path / "vgg.pth")
    assert rsforge(line + "--vgg-weights {} --best-by content", world, tmp_path / "run", tmp_path / "vgg.pth") == 0
    rows = read(tmp_path / "run" / "journal.jsonl")
    assert (
        rows[0]["unweighted/G_Loss_Content_AB" if "unweighted/G_Loss_Content_AB" in rows[0] else "G_Loss_Content_AB"]
        > 0
    )
    closed = rows[-1]
    assert closed["val/score"] == pytest.approx(100 * closed["val/l1"] + closed["val/content"], rel=1e-5)


@pytest.mark.parametrize(
    ("more", "code", "words"),
    [
        ("--image-size 300", 2, ("RSF-U005", "300", "multiple of 16", "304")),
        ("--gan-loss wgan-gp --critic-norm batch", 2, ("RSF-U005", "--critic-norm instance")),
        ("--best-by content", 2, ("RSF-U005", "--lambda-content")),
        ("--terrains agri nowhere", 2, ("RSF-U007", "nowhere")),
        ("--data-dir nowhere", 3, ("RSF-D001", "nowhere")),
    ],
)
def test_what_cannot_be_trained_is_told_before_anything_is_written(world, tmp_path, capsys, more, code, words):
    assert rsforge(LINE + more, world, tmp_path / "run") == code
    told = capsys.readouterr().err
    assert all(word in told for word in words), told
    assert not (tmp_path / "run").exists()


def test_two_sets_without_pairs_can_be_trained(world, tmp_path, capsys):
    sets = tmp_path / "sets"
    shutil.copytree(world, sets)
    for place in sets.glob("*/s2"):
        for number, path in enumerate(sorted(place.glob("*.png"))):
            path.rename(path.with_name(f"other_{number}.png"))
    (sets / "dataset.json").unlink()
    line = LINE + "--unpaired --allow-leak --epochs 1 "
    assert rsforge(line + "--lambda-l1 5", sets, tmp_path / "run") == 0
    assert "--lambda-l1" in capsys.readouterr().err
    row = read(tmp_path / "run/journal.jsonl")[0]
    assert not [name for name in row if "L1" in name or "Content" in name]
    state = checkpoint.load(tmp_path / "run/best_model.pt")
    assert state["architecture"]["disc_Y"]["in_channels"] == 3 and not state["paired"]


def test_a_plan_tells_the_documents_parameters(memory_plan, world, tmp_path, capsys):
    assert (
        rsforge(
            "cyclegan train --data-dir {} --output-dir {} --lambda-content 0 --dry-run --json", world, tmp_path / "run"
        )
        == 0
    )
    plan = json.loads(capsys.readouterr().out)["plan"]
    assert plan["parameters"] == 54_412_483 + 54_410_433 + 2 * 2_766_657
    assert plan["training_images"] + plan["held_out_images"] == 16
    assert plan["step_memory_mib"] > plan["weights_and_optimizer_mib"]
    assert not (tmp_path / "run").exists()


def test_higher_is_better_for_some(world, tmp_path, capsys):
    assert rsforge(LINE + "--epochs 3 --best-by ssim --json", world, tmp_path / "run") == 0
    told = json.loads(capsys.readouterr().out)
    figures = [row["val/ssim"] for row in read(tmp_path / "run/journal.jsonl") if row.get("closed")]
    assert told["monitor"] == "val/ssim" and told["best"] == pytest.approx(max(figures))
    assert told["best_epoch"] == 1 + figures.index(max(figures))


def test_defaults_are_the_documents():
    settings = CycleGanTrainSettings(data=PairTrainingSettings(data_dir="v_2"))
    assert (settings.data.image_size, settings.data.max_per_terrain) == (256, 1000)
    assert (settings.loop.batch_size, settings.loop.epochs, settings.loop.sample_every) == (1, 100, 5)
    assert (settings.optim.learning_rate, settings.optim.lr_disc, settings.optim.betas) == (2e-4, 2e-4, (0.5, 0.999))
    loss = settings.loss
    assert (loss.lambda_cycle, loss.lambda_l1, loss.lambda_content, loss.gan_loss) == (10, 100, 1, "bce")
    assert settings.run.project == "SARcyclegan-colorization-advanced"
    assert (settings.run.seed, settings.run.num_workers) == (42, 2)


def test_trackers_are_told_the_documents_names():
    settings = CycleGanTrainSettings(data=PairTrainingSettings(data_dir="v_2"), optim={"lr_disc": 3e-4})
    told = tracked_config(settings, torch.device("cpu"))
    assert told == {
        "learning_rate_gen": 2e-4, "learning_rate_disc": 3e-4, "batch_size": 1, "num_epochs": 100, "img_size": 256,
        "lambda_cycle": 10, "lambda_l1": 100, "lambda_content": 1, "chosen_vgg_layer_idx": 15, "dataset": "v_2",
        "architecture": "CycleGAN-Pix2Pix-VGG-UNet", "device": "cpu",
    }  # fmt: skip


def test_a_run_of_before_an_option_existed_goes_on_with_its_default(world, tmp_path, capsys):
    assert rsforge(LINE + "--epochs 1", world, tmp_path) == 0
    path = tmp_path / "latest_model.pt"
    state = checkpoint.load(path)
    del state["settings"]["optim"]["betas"], state["settings"]["data"]["flip"]
    checkpoint.save(path, state)
    assert rsforge(LINE + "--epochs 2 --resume --flip 0.5", world, tmp_path) == 4
    assert "--flip was 0.0, is 0.5" in capsys.readouterr().err
    assert rsforge(LINE + "--epochs 2 --resume", world, tmp_path) == 0


def test_translations_of_unseen_scenes_beat_both_trivial_ones(tmp_path, capsys):
    world, run = tmp_path / "world", tmp_path / "run"
    assert rsforge("data synth --kind pairs --count 128 --size 32 --output-dir {}", world) == 0
    line = (
        "cyclegan train --config cyclegan-tiny --data-dir {} --output-dir {} --image-size 32 --base-width 8 --epochs 5 "
    )
    assert rsforge(line + "--num-workers 0 --report-to none", world, run) == 0
    capsys.readouterr()
    assert rsforge("cyclegan evaluate --checkpoint {} --data-dir {} --json", run / "best_model.pt", world) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["side"], told["trained_on"], told["chosen_on"]) == ("test", 0, "val")
    assert not any("chosen on these images" in doubt for doubt in told["doubts"])
    figures = told["figures"]
    assert list(figures) == ["model", "copy_sar", "mean_colour", "mean_image", "median_image", "linear_sar"]
    l1 = {name: figures[name]["l1"]["mean"] for name in ("model", "copy_sar", "mean_colour")}
    assert l1["model"] < 0.9 * l1["mean_colour"] and l1["model"] < 0.6 * l1["copy_sar"], l1


def everything(folder):
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


@pytest.mark.parametrize("place", ["checkpoints", "wandb", "output_images"])
def test_data_among_a_runs_own_files_are_refused(world, tmp_path, capsys, place):
    data = tmp_path / "run" / place / "data"
    shutil.copytree(world, data)
    before = everything(tmp_path)
    assert rsforge(LINE + "--epochs 1 --overwrite", data, tmp_path / "run") == 2
    assert "RSF-U005" in capsys.readouterr().err and everything(tmp_path) == before


def test_a_strangers_files_stay_where_a_run_has_its_own(world, tmp_path, capsys):
    run = tmp_path / "run"
    for name in ("checkpoints/mine.pth", "wandb/notes.txt", "output_images/holiday.png", "tensorboard/readme"):
        (run / name).parent.mkdir(parents=True, exist_ok=True)
        (run / name).write_text("mine")
    before = everything(run)
    assert rsforge(LINE + "--epochs 1", world, run) == 2
    assert "RSF-U004" in capsys.readouterr().err and everything(run) == before
    for _ in range(2):
        assert rsforge(LINE + "--epochs 1 --overwrite", world, run) == 0
    after = everything(run)
    assert all(after[name] == content for name, content in before.items())
    assert len([name for name in after if name.startswith("tensorboard/events")]) == 1


def test_the_last_epoch_is_shown_and_kept(world, tmp_path, capsys):
    assert rsforge(LINE + "--epochs 1", world, tmp_path) == 0
    there = everything(tmp_path)
    assert {"output_images/epoch_1_sample.png", "checkpoints/gen_AB_epoch_1.pth", "checkpoint_epoch_1.pt"} <= set(there)
    lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith("epoch 1/1")]
    assert " val " in lines[-1]


def test_without_anything_held_out_the_training_judges(world, tmp_path, capsys):
    assert rsforge(LINE + "--epochs 1 --val-fraction 0 --json", world, tmp_path / "run") == 0
    assert json.loads(capsys.readouterr().out)["monitor"] == "unweighted/G_Loss_L1_AB"
    assert rsforge(LINE + "--epochs 1 --val-fraction 0 --best-by psnr", world, tmp_path / "other") == 2
    told = capsys.readouterr().err
    assert "RSF-U005" in told and "--best-by psnr" in told and "0 images held out" in told


def test_what_is_typed_and_not_used_is_said_and_nothing_else(world, tmp_path, capsys):
    line = LINE + "--epochs 1 --dry-run "
    assert rsforge(line + "--lambda-gp 3", world, tmp_path) == 0
    assert "--lambda-gp is not used" in capsys.readouterr().err
    assert rsforge(line + "--vgg-weights {}", world, tmp_path, tmp_path / "none.pth") == 0
    assert "--vgg-weights is not used" in capsys.readouterr().err
    assert rsforge(line + "--unpaired", world, tmp_path) == 0
    assert "not used" not in capsys.readouterr().err
    assert rsforge(line + "--unpaired --linear-path", world, tmp_path) == 0
    assert "--linear-path is not used: --unpaired has no pairs" in capsys.readouterr().err


def test_a_plan_counts_pools_and_bare_weights(world, tmp_path, capsys):
    def plan(more):
        assert rsforge(LINE + "--dry-run --json " + more, world, tmp_path) == 0
        return json.loads(capsys.readouterr().out)["plan"]

    small, large = plan("--pool-size 0"), plan("--pool-size 100 --grad-accum 2")
    pools = 2 * 100 * (4 + 4) * 32 * 32 * 4 / 2**20
    assert large["checkpoint_mib"] - small["checkpoint_mib"] == pytest.approx(pools, abs=0.11)


def test_both_groups_fall_from_their_own_rates(world, tmp_path):
    line = "--epochs 2 --lr-gen 4e-4 --lr-disc 1e-4 --lr-scheduler linear --lr-decay-start 0.5 --betas 0.4 0.9"
    assert rsforge(LINE + line, world, tmp_path) == 0
    rates = [row["lr"] for row in read(tmp_path / "journal.jsonl") if "closed" not in row]
    half = len(rates) // 2
    assert rates[: half + 1] == [4e-4] * (half + 1)
    assert rates[-1] == pytest.approx(4e-4 / half) and sorted(rates, reverse=True) == rates
    parts = checkpoint.load(tmp_path / "latest_model.pt")["parts"]
    groups = {name: parts[f"optimizer/{name}"]["param_groups"][0] for name in ("generators", "critics")}
    assert groups["critics"]["lr"] == pytest.approx(groups["generators"]["lr"] / 4)
    assert {tuple(group["betas"]) for group in groups.values()} == {(0.4, 0.9)}


def test_checkpoints_hold_the_linear_model_of_the_training_pairs(world, run, tmp_path):
    stored = checkpoint.load(run / "latest_model.pt")["baselines"]["linear_sar"]
    pairs = load_pairs(PairTrainingSettings(data_dir=str(world), image_size=32), RunSettings(output_dir=run),
                       SilentConsole())  # fmt: skip
    fitted = fit_linear_sar(pairs.plain, sar_of=itemgetter(0), image_of=itemgetter(1))
    assert stored["pairs"] == len(pairs.plain) and torch.equal(stored["coefficients"], fitted["coefficients"])
    assert rsforge(LINE + "--unpaired --lambda-l1 0 --max-train-steps 1", world, tmp_path / "unpaired") == 0
    assert "linear_sar" not in checkpoint.load(tmp_path / "unpaired" / "latest_model.pt")["baselines"]


def test_the_linear_model_is_fitted_once_and_comes_from_the_checkpoint_of_a_run_that_goes_on(
    world, tmp_path, monkeypatch
):
    fits = []
    monkeypatch.setattr(
        sar_level, "fit_linear_sar", lambda *given, **named: fits.append(1) or fit_linear_sar(*given, **named)
    )
    assert rsforge(LINE + "--linear-path --max-train-steps 1", world, tmp_path / "run") == 0
    first = checkpoint.load(tmp_path / "run" / "latest_model.pt")
    linear = {name: value for name, value in first["nets"]["gen_AB"].items() if name.startswith("linear.")}
    assert fits == [1] and torch.equal(linear["linear.coefficients"], first["baselines"]["linear_sar"]["coefficients"])
    assert rsforge(LINE + "--linear-path --max-train-steps 2 --resume", world, tmp_path / "run") == 0
    second = checkpoint.load(tmp_path / "run" / "latest_model.pt")
    assert fits == [1] and second["progress"]["step"] == 2
    assert all(torch.equal(value, second["nets"]["gen_AB"][name]) for name, value in linear.items())


def test_a_linear_path_starts_where_the_linear_baseline_ends(world, tmp_path, capsys):
    line = LINE + "--linear-path --max-train-steps 1 --lr 1e-12 --lr-disc 1e-12 --report-to none --quiet"
    assert rsforge(line, world, tmp_path / "run") == 0
    capsys.readouterr()
    start, last = (row for row in read(tmp_path / "run" / "journal.jsonl") if row.get("closed"))
    assert start["step"] == 0 and start["best"] and start["val/l1"] == pytest.approx(last["val/l1"], abs=1e-4)
    model = tmp_path / "run" / "latest_model.pt"
    assert rsforge("cyclegan evaluate --checkpoint {} --data-dir {} --json", model, world) == 0
    figures = json.loads(capsys.readouterr().out)["figures"]
    assert figures["model"]["l1"]["mean"] == pytest.approx(figures["linear_sar"]["l1"]["mean"], abs=1e-4)
    assert abs(figures["model"]["l1"]["mean"] - figures["mean_colour"]["l1"]["mean"]) > 0.01


def test_a_level_is_seen_beside_images_at_mean_0_from_a_linear_model_of_both(world, tmp_path, capsys):
    line = LINE + "--linear-path --sar-level both --max-train-steps 1 --report-to none"
    assert rsforge(line, world, tmp_path / "run") == 0
    assert "sar level  kept, and seen beside the image or tile at mean 0 and deviation 1" in capsys.readouterr().err
    net, restored = load_generator(tmp_path / "run" / "latest_model.pt", torch.device("cpu"), "sar2optical")
    plain = load_pairs(PairTrainingSettings(data_dir=str(world), image_size=32), RunSettings(), SilentConsole()).plain
    linear = sar_level.fit_by_level(plain)
    assert torch.equal(net.linear.coefficients, linear("both")["coefficients"]) and net.level == "both"
    stored = restored.state["baselines"]["linear_sar"]
    assert torch.equal(stored["coefficients"], linear("keep")["coefficients"])
