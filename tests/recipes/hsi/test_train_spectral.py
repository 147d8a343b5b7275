"""``rsforge hsi train-spectral`` on drawn scenes of 12 bands."""

from __future__ import annotations

import json
import math
import shutil
from types import SimpleNamespace

import h5py
import numpy as np
import pytest
import torch

from rsforge.data.spectra.spatial_dataset import area_mean
from rsforge.engine import checkpoint
from rsforge.engine.distributed import SingleProcess
from rsforge.engine.journal import read
from rsforge.engine.loader import collate_named
from rsforge.recipes.hsi import patch_pairs
from rsforge.recipes.hsi.load import load_spectral
from rsforge.recipes.hsi.patch_pairs import load_patches
from rsforge.recipes.hsi.train_spectral import build_network, spec
from rsforge.recipes.training.job import Compute
from rsforge.recipes.training.output_dir import resume_hint
from rsforge.settings.hsi import SpectralTrainSettings
from tests.worlds import warm_python
from tests.worlds.commands import rsforge
from tests.worlds.consoles import RecordingConsole
from tests.worlds.hsi import TRAIN, draw_scenes, watch_bf16
from tests.worlds.spectral_patches import (
    WEIGHTS,
    draw_curved_spectra,
    edit,
    write_landsat8_scene,
    write_plain,
    write_scene,
)

COMPUTE = Compute(torch.device("cpu"), SingleProcess())
MODELS = ("spectral_sr", "spectral_transformer", "spectral_unmixing")


def tensors(path):
    """All tensors of a checkpoint: weights, optimizer, schedule."""
    return dict(checkpoint.tensors(checkpoint.load(path)))


def equal(one, other):
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def test_a_run_writes_the_names_of_the_document(spectral_run):
    names = {path.name for path in spectral_run.iterdir()}
    assert {"best_model.pth", "latest_model.pth", "journal.jsonl", "settings.json", "tensorboard"} <= names
    assert not {name for name in names if "epoch" in name or name == "samples"}
    kept = sorted(path.name for path in (spectral_run / "checkpoints").iterdir())
    assert kept == [f"checkpoint_epoch_{k:03d}.pth" for k in (3, 4, 5)]  # the newest three, not one an epoch forever


def read_tags(run):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(run / "tensorboard"))
    events.Reload()
    return set(events.Tags()["scalars"])


def test_tensorboard_has_the_figures_of_the_document(spectral_run):
    tags = read_tags(spectral_run)
    terms = [f"{side}/{name}" for side in ("Train", "Val") for name in ("l1", "sam", "spectral_grad")]
    assert {f"Epoch/{tag}" for tag in ("Loss/train", "Loss/val", "LR", *terms)} <= tags
    assert {"Batch/loss", "Batch/l1", "Batch/sam", "Batch/spectral_grad"} <= tags


@pytest.mark.parametrize("model", MODELS[:2])
def test_before_the_first_step_the_figures_are_those_of_ridge(scenes, tmp_path, model):
    figures = validate(scenes, tmp_path, model)
    assert figures["sam_deg"] == figures["ridge_sam_deg"] > 0 and figures["rmse"] == figures["ridge_rmse"] > 0


def validate(scenes, folder, model, **data):
    """The figures of the held-out patches by a network that is not trained."""
    data, network, made = put_together(scenes, folder, model, **data)
    accumulator = made.task.validation()
    network.eval()
    with torch.no_grad():
        for k in range(len(data.held_out)):
            accumulator.update({name: value[None] for name, value in data.held_out[0, k].items()}, 1)
    return accumulator.compute(SingleProcess())


def put_together(scenes, folder, model, console=None, **data):
    settings = SpectralTrainSettings(
        run={"output_dir": folder},
        data={"data_dir": str(scenes), **data},
        network={"model": model, "hidden_width": 8, "blocks": 1, "transformer_width": 8, "endmembers": 3},
    )
    compute, console = Compute(torch.device("cpu"), SingleProcess()), console or RecordingConsole()
    loaded = load_patches(settings, compute, console)
    network = build_network(settings, loaded, compute)
    return loaded, network, spec(settings, loaded, network, compute, console)


def test_unmixing_starts_from_the_endmembers_of_the_data(scenes, tmp_path):
    found = validate(scenes, tmp_path, "spectral_unmixing")
    assert 0 < found["sam_deg"] < 20  # three spectra chosen by what Landsat sees; of random ones it is 60
    loaded, network, _ = put_together(scenes, tmp_path, "spectral_unmixing", per_band=True)
    spectra = loaded.fits.spectra.denormalise(network.endmembers.T[None].detach().numpy().transpose(0, 2, 1))[0]
    distance = torch.cdist(torch.from_numpy(spectra), torch.from_numpy(loaded.fits.pixels)).amin(1)
    assert distance.max() < 0.5  # corners under the lowest percentile are raised to it


@pytest.fixture(scope="module")
def curved(tmp_path_factory):
    """Scenes that a linear map of Landsat's bands does not explain."""
    folder = tmp_path_factory.mktemp("curved")
    for seed, name in enumerate("abc"):
        write_scene(folder / name / "x.h5", 1, seed=seed, draw=draw_curved_spectra)
    return folder


@pytest.mark.parametrize("model", MODELS)
def test_every_model_learns_what_no_linear_map_explains(curved, tmp_path, model):
    """With five seeds the loss fell to 0.83 to 0.91 of the first in the ridge networks, to 0.46 to 0.64 in unmixing."""
    line = f"{TRAIN} --model {model} --epochs 15 --lr 5e-3 --lr-scheduler cosine --no-augment --val-fraction 0"
    assert rsforge(line.replace("--batch-size 2", "--batch-size 1"), curved, tmp_path) == 0
    losses = [row["loss"] for row in read(tmp_path / "journal.jsonl") if row.get("closed")]
    assert losses[-1] < 0.93 * losses[0]


@pytest.fixture(scope="module")
def kept_at_every_step(scenes, tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole")
    line = f"{TRAIN} --log-every 1 --crop-size 12 --max-train-steps 8 --save-every-steps 1 --keep-checkpoints 0"
    assert rsforge(line, scenes, folder) == 0
    return folder


@pytest.mark.parametrize("step", [1, 4, 6])
def test_a_run_resumed_at_any_step_is_one_never_interrupted(kept_at_every_step, tmp_path, step):
    """The plateau schedule, the best loss and the optimizer go on: the document's runs forgot them."""
    (tmp_path / "checkpoints").mkdir()
    stored = tmp_path / f"checkpoints/checkpoint_step_{step}.pth"
    shutil.copy(kept_at_every_step / stored.relative_to(tmp_path), stored)
    for name in ("journal.jsonl", "best_model.pth"):
        shutil.copy(kept_at_every_step / name, tmp_path)
    assert rsforge("hsi train-stage1 --checkpoint {}", stored) == 0
    assert equal(tensors(tmp_path / "latest_model.pth"), tensors(kept_at_every_step / "latest_model.pth"))
    assert (tmp_path / "journal.jsonl").read_bytes() == (kept_at_every_step / "journal.jsonl").read_bytes()


def test_a_resumed_run_keeps_its_best_and_stops_early(scenes, tmp_path):
    """At a rate that only harms, the start is the best: the document's runs forgot their best and wrote over it."""
    line = f"{TRAIN} --lr 1 --lr-scheduler constant --no-augment --early-stopping-patience 3 --epochs"
    assert rsforge(f"{line} 2", scenes, tmp_path) == 0
    best = (tmp_path / "best_model.pth").read_bytes()
    assert checkpoint.load(tmp_path / "best_model.pth")["progress"]["step"] == 0
    assert rsforge(f"{line} 9 --resume", scenes, tmp_path) == 0
    rows = [row for row in read(tmp_path / "journal.jsonl") if row.get("closed")]
    assert [row["epoch"] for row in rows] == [0, 1, 2, 3] and [row["best"] for row in rows] == [True] + [False] * 3
    assert rows[0]["val/loss"] < rows[3]["val/loss"] < float("inf")
    assert rows[0]["val/rmse"] == pytest.approx(rows[0]["val/ridge_rmse"], rel=1e-4)
    assert (tmp_path / "best_model.pth").read_bytes() == best
    told = json.loads((tmp_path / "judged.json").read_text())
    assert told["verdict"].endswith("The best model is the start: no later validation was better.")
    assert told["judged"]["better"] is False


def test_terms_without_weight_are_neither_needed_nor_told(scenes, tmp_path):
    assert rsforge(f"{TRAIN} --l1-weight 0 --sam-weight 0 --epochs 1", scenes, tmp_path) == 0
    start, row = (row for row in read(tmp_path / "journal.jsonl") if row.get("closed"))
    assert row["val/loss"] == pytest.approx(0.1 * row["val/spectral_grad"]) and row["loss"] > 0
    assert not {"l1", "sam", "val/l1", "val/sam"} & (row.keys() | start.keys())


@pytest.mark.parametrize("model", MODELS)
def test_bf16_trains_with_terms_in_fp32(scenes, tmp_path, monkeypatch, model):
    """The angle of nearly equal spectra would be lost in the 8 bits of bf16."""
    convolutions, terms = watch_bf16(monkeypatch)
    line = f"{TRAIN} --model {model} --mixed-precision bf16 --max-train-steps 3 --log-every 1"
    assert rsforge(line, scenes, tmp_path) == 0
    rows = [row for row in read(tmp_path / "journal.jsonl") if "loss" in row]
    assert len(rows) >= 3 and all(math.isfinite(row[name]) for row in rows for name in ("loss", "sam", "l1"))
    assert torch.bfloat16 in convolutions and terms == {torch.float32}
    weights = checkpoint.load(tmp_path / "latest_model.pth")["nets"]["network"]
    assert all(tensor.isfinite().all() and tensor.dtype == torch.float32 for tensor in weights.values())


FITS = ("normalisation", "ridge", "baselines")


@pytest.mark.parametrize("model", ["spectral_sr", "spectral_unmixing"])
def test_a_run_that_goes_on_measures_nothing_anew(scenes, tmp_path, monkeypatch, model):
    line = f"{TRAIN} --model {model} --per-band --max-train-steps"
    assert rsforge(f"{line} 4", scenes, tmp_path / "whole") == 0
    assert rsforge(f"{line} 2", scenes, tmp_path / "cut") == 0
    for name in ("fit_training_side", "measure"):
        monkeypatch.setattr(patch_pairs, name, lambda *given, **named: pytest.fail("it was measured anew"))
    assert rsforge(f"{line} 4 --resume", scenes, tmp_path / "cut") == 0
    whole, cut = (checkpoint.load(tmp_path / name / "latest_model.pth") for name in ("whole", "cut"))
    assert equal(*(dict(checkpoint.tensors(state)) for state in (whole, cut)))
    assert all(str(whole[name]) == str(cut[name]) for name in FITS) and whole["ridge"]["weight"]


def test_resume_finds_a_periodic_checkpoint_and_overwrite_removes_it(scenes, tmp_path):
    run = tmp_path / "run"
    assert rsforge(f"{TRAIN} --epochs 2", scenes, run) == 0
    whole = tensors(run / "latest_model.pth")
    for name in ("latest_model.pth", "best_model.pth"):
        (run / name).write_bytes(b"torn")
    assert rsforge(f"{TRAIN} --epochs 2 --resume", scenes, run) == 0
    assert equal(tensors(run / "latest_model.pth"), whole)
    assert rsforge(f"{TRAIN} --epochs 1", scenes, run) == 2
    assert rsforge(f"{TRAIN} --epochs 1 --overwrite", scenes, run) == 0
    assert [path.name for path in (run / "checkpoints").iterdir()] == ["checkpoint_epoch_001.pth"]


def test_the_command_that_goes_on_names_no_checkpoint():
    console = SimpleNamespace(command="rsforge hsi train-stage1 --checkpoint C --data-dir x")
    assert resume_hint(console) == "rsforge hsi train-stage1 --data-dir x --resume"


def test_two_processes_equal_one_at_the_same_global_batch(tmp_path):
    """Holes that leave some crops nothing: a mean over the valid pixels of each process would differ."""
    scenes = draw_scenes(tmp_path / "scenes", 4, holes=(4, 27, 4))  # twice four to train on

    def spell(name, batch):
        line = TRAIN.replace("--batch-size 2", f"--batch-size {batch} --lr-scheduler constant --log-every 1")
        # A larger epsilon: else Adam makes whole steps of gradients that are nothing but rounding.
        line += " --max-train-steps 3 --crop-size 12 --adam-epsilon 1e-3 --lr 1e-2"
        return line.replace("{}", str(scenes), 1).replace("{}", str(tmp_path / name))

    done = warm_python.run(["-m", "tests.worlds.two_processes", spell("two", 2)])
    assert done.returncode == 0, done.stderr
    assert rsforge(spell("one", 4)) == 0
    two, one = (tensors(tmp_path / name / "latest_model.pth") for name in ("two", "one"))
    for name in (name for name in two if name.startswith("/nets/")):
        torch.testing.assert_close(two[name], one[name], rtol=1e-3, atol=1e-5)
    journals = [read(tmp_path / name / "journal.jsonl") for name in ("two", "one")]
    figures = [[row["val/rmse"] for row in rows if "val/rmse" in row] for rows in journals]
    assert figures[0] == pytest.approx(figures[1], rel=1e-5)


def test_the_response_of_an_own_sensor_goes_with_the_checkpoint(tmp_path):
    facts = {"sensor": "own", "landsat_response": WEIGHTS}
    for seed, name in enumerate("abc"):
        write_scene(tmp_path / "scenes" / name / "x.h5", 1, seed=seed, facts=facts)
    line = f"{TRAIN} --consistency-weight 1 --max-train-steps 1"
    assert rsforge(line, tmp_path / "scenes", tmp_path / "run") == 0
    assert np.array_equal(checkpoint.load(tmp_path / "run/latest_model.pth")["response"], WEIGHTS)
    line = "hsi predict --stage1-checkpoint {} --input {} --output {} --project --device cpu --json"
    assert rsforge(line, tmp_path / "run/latest_model.pth", tmp_path / "scenes/a/x.h5", tmp_path / "made.h5") == 0
    with h5py.File(tmp_path / "scenes/a/x.h5") as given, h5py.File(tmp_path / "made.h5") as made:
        seen = made["aviris_predicted"][0].astype(float) @ WEIGHTS.T
        assert np.abs(seen - given["landsat"][0]).max() <= 2e-5 * given["landsat"][0].max()


def find_inconsistency(folder, scenes, seed=42):
    """The mean difference, over Landsat's own held-out pixels, of it and what it would see of the prediction."""
    model = load_spectral(folder / "latest_model.pth", torch.device("cpu"))
    settings = SpectralTrainSettings(run={"seed": seed}, data={"data_dir": str(scenes)}, loss={"consistency_weight": 1})
    sets = load_patches(settings, COMPUTE, RecordingConsole())
    batch = collate_named([sets.held_out[0, k] for k in range(len(sets.held_out))])
    output = model.spectra.denormalise(model.network(batch["landsat"]).movedim(1, -1).numpy())
    seen = torch.from_numpy(output @ sets.response.T).float().movedim(-1, 1)
    means, _ = area_mean(seen, batch["valid"], batch["rows"][:, None], batch["cols"][:, None])
    return abs(means.movedim(1, -1).numpy() - model.landsat.denormalise(batch["native"].movedim(1, -1).numpy())).mean()


def test_consistency_is_that_of_the_pixels_which_landsat_has(tmp_path):
    """The figure of the held-out side is what a user measures of the predictions, in shares of Landsat's range."""
    for seed, name in enumerate("abc"):
        write_landsat8_scene(tmp_path / "scenes" / name / "x.h5", seed=seed, draw=draw_curved_spectra)
    line = f"{TRAIN} --epochs 2 --lr 5e-3 --lr-scheduler constant --consistency-weight".replace("none", "tensorboard")
    for weight in (0, 1):
        run = tmp_path / str(weight)
        assert rsforge(f"{line} {weight}", tmp_path / "scenes", run) == 0
        tags = {f"Epoch/{side}/consistency" for side in ("Train", "Val")} & read_tags(run)
        assert len(tags) == 2 * weight
    told = [row["val/consistency"] for row in read(run / "journal.jsonl") if "val/consistency" in row]
    scaling = load_spectral(run / "latest_model.pth", torch.device("cpu")).landsat
    assert told[-1] == pytest.approx(
        find_inconsistency(run, tmp_path / "scenes") * scaling.gain_and_offset()[0][0], rel=1e-3
    )


def test_a_dry_run_writes_nothing(scenes, tmp_path, capsys):
    assert rsforge(f"{TRAIN} --epochs 2 --dry-run --json", scenes, tmp_path / "run") == 0
    plan = json.loads(capsys.readouterr().out)["plan"]
    assert not (tmp_path / "run").exists() and (plan["training_images"], plan["held_out_images"]) == (6, 3)


def plan_memory(capsys, line, *paths):
    assert rsforge(f"{line} --dry-run --json", *paths) == 0
    plan = json.loads(capsys.readouterr().out)["plan"]
    return plan["step_memory_mib"], plan["waiting_batches_mib"]


def test_a_plan_says_how_much_memory_a_step_takes(memory_plan, scenes, tmp_path, capsys):
    line = TRAIN.replace("--blocks 1", "--blocks 3").replace("--transformer-width 8", "--transformer-width 16")
    line += "--model spectral_transformer"
    plain, waiting = plan_memory(capsys, line, scenes, tmp_path)
    assert waiting == 0  # without workers
    again, _ = plan_memory(capsys, f"{line} --gradient-checkpointing", scenes, tmp_path)
    assert again < 0.8 * plain
    crops, _ = plan_memory(capsys, f"{line} --crop-size 15", scenes, tmp_path)
    assert crops == pytest.approx(plain / 4, rel=0.15)
    patch = 4 * 30 * 30 * (3 + 12 + 1) / 2**20
    more, waiting = plan_memory(capsys, f"{line} --grad-accum 3 --num-workers 1", scenes, tmp_path)
    assert plain < more < 1.5 * plain and waiting == pytest.approx(2 * 2 * patch, abs=0.06)


@pytest.mark.parametrize(
    ("more", "code", "words"),
    [
        ("--taps 4", 2, "has no middle"),
        ("--model spectral_transformer --heads 3", 2, "no multiple of 3 heads"),
        ("--crop-size 31", 3, "31"),
        ("--model spectral_unmixing --endmembers 200", 3, "200 endmembers"),
        ("--consistency-weight 1", 2, "is not known"),
        ("--l1-weight 0 --sam-weight 0 --spectral-grad-weight 0", 2, "nothing to learn"),
        ("--percentiles 99 1", 2, "a low and a higher number"),
    ],
)  # fmt: skip
def test_what_cannot_be_trained_is_refused(scenes, tmp_path, capsys, more, code, words):
    assert rsforge(f"{TRAIN} --epochs 1 {more}", scenes, tmp_path / "run") == code
    assert words in capsys.readouterr().err and not (tmp_path / "run").exists()


def test_wrong_data_are_named(tmp_path, capsys):
    assert rsforge(TRAIN, tmp_path / "nowhere", tmp_path / "run") == 3
    scene = write_scene(tmp_path / "one" / "a" / "x.h5", 1)
    assert rsforge(TRAIN, tmp_path / "one", tmp_path / "run") == 3
    assert "--val-fraction 0" in capsys.readouterr().err  # a single patch cannot be divided
    edit(scene, "landsat", (0, 3, 4, 1), float("nan"))
    assert rsforge(f"{TRAIN} --val-fraction 0", tmp_path / "one", tmp_path / "run") == 3
    assert "RSF-D008" in capsys.readouterr().err
    scene.write_bytes(scene.read_bytes()[:900])
    assert rsforge(TRAIN, tmp_path / "one", tmp_path / "run") == 3
    assert "RSF-D008" in capsys.readouterr().err and not (tmp_path / "run").exists()


def test_nothing_held_out_and_no_wavelengths(tmp_path, capsys):
    """The first data set had neither, and no more than one file trained on nothing."""
    write_plain(tmp_path / "set" / "x.h5", 2)
    assert rsforge(f"{TRAIN} --val-fraction 0 --epochs 2", tmp_path / "set", tmp_path / "run") == 0
    assert "no wavelengths" in capsys.readouterr().err
    assert all(row["step"] > 0 for row in read(tmp_path / "run/journal.jsonl"))  # a start has nothing to compete by
    state = checkpoint.load(tmp_path / "run/best_model.pth")
    assert state["wavelength_nm"] == [] and state["bands"] == 12 and state["landsat_bands"] == 7


def test_options_of_another_model_are_said_to_do_nothing(scenes, tmp_path, capsys):
    assert rsforge("hsi train-spectral --data-dir {} --output-dir {} --endmembers 4 --dry-run", scenes, tmp_path) == 0
    assert "--endmembers is not used" in capsys.readouterr().err


def test_samples_are_not_written_and_a_resumed_run_did_not_ask_for_them(scenes, spectral_run, tmp_path, capsys):
    line = f"{TRAIN} --dry-run --sample-every 3"
    assert rsforge(line, scenes, tmp_path) == 0
    assert "--sample-every is not used" in capsys.readouterr().err
    assert rsforge("hsi train-spectral --output-dir {} --data-dir {} --resume --dry-run", spectral_run, scenes) == 0
    assert "--sample-every" not in capsys.readouterr().err


def test_the_tiny_preset_trains_in_seconds(scenes, tmp_path):
    line = "hsi train-spectral --data-dir {} --output-dir {} --config hsi-tiny --report-to none --epochs 2"
    assert rsforge(line, scenes, tmp_path / "run") == 0
    assert [row["epoch"] for row in read(tmp_path / "run/journal.jsonl") if row.get("closed")] == [0, 1, 2]


def test_info_says_what_it_is(spectral_run, capsys):
    assert rsforge("info {} --json", spectral_run / "checkpoints" / "checkpoint_epoch_005.pth") == 0
    told = json.loads(capsys.readouterr().out)
    assert told["kind"] == "hsi-spectral" and told["architecture"]["bands"] == 12 == told["bands"]
    assert told["normalisation"]["spectra"]["percentiles"] == [1.0, 99.0] and "hsi train-spectral" in told["made_by"]
