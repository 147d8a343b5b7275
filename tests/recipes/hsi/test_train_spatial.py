"""``rsforge hsi train-spatial`` on drawn scenes of 12 bands."""

from __future__ import annotations

import json
import math
import shlex
import shutil

import h5py
import pytest
import torch

from rsforge.cli.main import run
from rsforge.engine import checkpoint
from rsforge.engine.distributed import SingleProcess
from rsforge.engine.journal import read
from rsforge.recipes.hsi import first_stage, spatial_pairs
from rsforge.recipes.hsi.train_spatial import build, build_network, load_spatial_pairs, spec
from rsforge.recipes.hsi.train_spatial import next_command as next_spatial
from rsforge.recipes.hsi.train_spectral import next_command as next_spectral
from rsforge.recipes.training.job import Compute
from rsforge.settings.hsi import SpectralTrainSettings
from rsforge.settings.hsi_spatial import SpatialNetworkSettings, SpatialTrainSettings
from tests.worlds import warm_python
from tests.worlds.commands import rsforge
from tests.worlds.consoles import RecordingConsole
from tests.worlds.hsi import SPATIAL, TRAIN, draw_scenes, watch_bf16
from tests.worlds.spectral_patches import draw_orchard, edit, write_plain, write_scene

TRUTH = SPATIAL.replace("--stage1-checkpoint {} ", "--source truth ")


def tensors(path):
    """All tensors of a checkpoint: weights, optimizer, schedule."""
    return dict(checkpoint.tensors(checkpoint.load(path)))


def equal(one, other):
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def test_a_run_writes_the_names_of_the_document(spatial_run):
    names = {path.name for path in spatial_run.iterdir()}
    assert {"best_model.pth", "latest_model.pth", "journal.jsonl", "tensorboard", "stage1_predictions"} <= names
    kept = sorted(path.name for path in (spatial_run / "checkpoints").iterdir())
    assert kept == [f"checkpoint_epoch_{k:03d}.pth" for k in (3, 4, 5)]


def test_checkpoints_of_both_stages_say_what_they_were_trained_on(spectral_run, spatial_run):
    first, second = (checkpoint.load(run / "best_model.pth") for run in (spectral_run, spatial_run))
    assert len(set(second["trained"])) == second["images"]["train"]
    assert first["trained"] == second["trained"]


def test_both_trainings_end_with_an_evaluation_that_runs(scenes, spectral_run, spatial_run):
    data = {"data_dir": str(scenes)}
    stage1, stage2 = (folder / "best_model.pth" for folder in (spectral_run, spatial_run))
    first = next_spectral(SpectralTrainSettings(data=data), stage1)
    both = next_spatial(SpatialTrainSettings(data=data | {"stage1_checkpoint": stage1}), stage2)
    for line in (first, both):
        assert run([*shlex.split(line)[1:], "--dry-run"]) == 0
    alone = next_spatial(SpatialTrainSettings(data=data | {"source": "truth"}), stage2)
    assert run(shlex.split(alone)[1:]) == 0


def test_tensorboard_has_the_figures_of_the_document(spatial_run):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(spatial_run / "tensorboard"))
    events.Reload()
    tags = set(events.Tags()["scalars"])
    terms = [f"{side}/{name}" for side in ("Train", "Val") for name in ("l1", "sam")]
    assert {f"Epoch/{tag}" for tag in ("Loss/train", "Loss/val", "LR", *terms)} <= tags


@pytest.mark.parametrize(
    ("options", "count"),
    [
        ({}, 2_210_836),
        ({"model": "lightweight"}, 130_756),
        ({"model": "lightweight", "num_features": 32, "num_layers": 4}, 344_180),
    ],
)
def test_the_networks_have_the_sizes_of_the_document(options, count):
    with torch.device("meta"):
        network = build(SpatialNetworkSettings(**options), 340)
        assert sum(p.numel() for p in network.parameters()) == count
        assert network(torch.empty(1, 340, 34, 34)).shape == (1, 340, 255, 255)


def test_a_run_goes_on_with_the_corrections_that_it_began_with(scenes, tmp_path):
    settings = SpatialTrainSettings(
        run={"output_dir": tmp_path},
        data={"data_dir": str(scenes), "source": "truth"},
        network={"model": "lightweight"},
    )
    compute, console = Compute(torch.device("cpu"), SingleProcess()), RecordingConsole()
    for architecture, corrections in ((None, 2), ({}, 0), ({"corrections": 1}, 1)):
        state = None if architecture is None else {"architecture": architecture, "normalisation": {}}
        data = load_spatial_pairs(settings, compute, console, state)
        assert build_network(settings, data, compute).corrections == corrections


@pytest.mark.parametrize(("model", "corrections"), [("spatial_sr", 0), ("lightweight", 0), ("lightweight", 2)])
def test_before_the_first_step_the_figures_are_those_of_bicubic_resampling(scenes, tmp_path, model, corrections):
    """With the same corrections: these are not learnt."""
    network = {"model": model, "corrections": corrections}
    settings = SpatialTrainSettings(
        run={"output_dir": tmp_path}, data={"data_dir": str(scenes), "source": "truth"}, network=network
    )
    compute, console = Compute(torch.device("cpu"), SingleProcess()), RecordingConsole()
    data = load_spatial_pairs(settings, compute, console)
    network = build_network(settings, data, compute)
    made = spec(settings, data, network, compute, console)
    figures = made.task.validation()
    network.eval()
    with torch.no_grad():
        for k in range(len(made.held_out)):
            figures.update({name: value[None] for name, value in made.held_out[0, k].items()}, 1)
    found = figures.compute(SingleProcess())
    assert found["rmse"] == found["bicubic_rmse"] > 0 and found["sam_deg"] == found["bicubic_sam_deg"] > 0
    assert not made.partners and not made.frozen


@pytest.fixture(scope="module")
def orchards(tmp_path_factory):
    """Scenes with detail that interpolation cannot know."""
    folder = tmp_path_factory.mktemp("orchards")
    for seed, name in enumerate("abcd"):
        write_scene(folder / name / "x.h5", 2, seed=seed, draw=draw_orchard)
    return folder


@pytest.mark.parametrize("model", ["spatial_sr", "lightweight"])
def test_every_model_beats_bicubic_resampling_on_ground_that_it_never_saw(orchards, tmp_path, model):
    """With four seeds the RMSE was 0.07 to 0.32 of that of bicubic resampling, the angle 0.17 to 0.26."""
    line = f"{TRUTH} --model {model} --scale 3 --crop-size 15 --crops-per-patch 2 --lr 1e-2 --lr-scheduler cosine "
    line = line.replace("--num-features 4", "--num-features 8") + "--epochs 12 --validate-every 12"
    assert rsforge(line, orchards, tmp_path) == 0
    last = [row for row in read(tmp_path / "journal.jsonl") if row.get("closed")][-1]
    assert last["val/rmse"] < 0.6 * last["val/bicubic_rmse"]
    assert last["val/sam_deg"] < 0.6 * last["val/bicubic_sam_deg"]


@pytest.fixture(scope="module")
def kept_at_every_step(scenes, stage1, tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole")
    line = f"{SPATIAL} --source mix --log-every 1 --crop-size 15 --max-train-steps 8 --save-every-steps 1 "
    assert rsforge(line + "--keep-checkpoints 0", scenes, stage1, folder) == 0
    return folder


@pytest.mark.parametrize("step", [1, 4, 6])
def test_a_run_resumed_at_any_step_is_one_never_interrupted(kept_at_every_step, tmp_path, step, monkeypatch):
    """Also where what stage 1 predicts must be computed anew; nothing is measured anew."""
    for name in ("measure", "measure_bicubic_error"):
        monkeypatch.setattr(spatial_pairs, name, lambda *given: pytest.fail("it was measured anew"))
    (tmp_path / "checkpoints").mkdir()
    stored = tmp_path / f"checkpoints/checkpoint_step_{step}.pth"
    shutil.copy(kept_at_every_step / stored.relative_to(tmp_path), stored)
    for name in ("journal.jsonl", "best_model.pth"):
        shutil.copy(kept_at_every_step / name, tmp_path)
    assert rsforge("hsi train-stage2 --checkpoint {}", stored) == 0
    assert equal(tensors(tmp_path / "latest_model.pth"), tensors(kept_at_every_step / "latest_model.pth"))
    assert (tmp_path / "journal.jsonl").read_bytes() == (kept_at_every_step / "journal.jsonl").read_bytes()


@pytest.mark.parametrize("model", ["spatial_sr", "lightweight"])
def test_bf16_trains_with_terms_in_fp32(scenes, tmp_path, monkeypatch, model):
    convolutions, terms = watch_bf16(monkeypatch)
    line = f"{TRUTH} --model {model} --mixed-precision bf16 --max-train-steps 3 --log-every 1"
    assert rsforge(line, scenes, tmp_path) == 0
    rows = [row for row in read(tmp_path / "journal.jsonl") if "loss" in row]
    assert len(rows) >= 3 and all(math.isfinite(row[name]) for row in rows for name in ("loss", "sam", "l1"))
    assert torch.bfloat16 in convolutions and terms == {torch.float32}


def test_another_stage_1_is_refused_and_a_moved_one_is_found(scenes, stage1, tmp_path, capsys):
    own, run = tmp_path / "own.pth", tmp_path / "run"
    shutil.copy(stage1, own)
    assert rsforge(f"{SPATIAL} --epochs 1 --copy-partners", scenes, own, run) == 0
    assert checkpoint.load(run / "best_model.pth")["partners"]["stage1"]["path"] == str(own)
    own.unlink()
    longer = f"{SPATIAL} --epochs 2 --resume"
    assert rsforge(longer, scenes, own, run) == 0
    assert f"using      {run}/partners/stage1.pt" in capsys.readouterr().err
    assert rsforge(f"{TRAIN} --epochs 1", scenes, tmp_path / "other") == 0
    before = (run / "latest_model.pth").read_bytes()
    assert rsforge(longer.replace("epochs 2", "epochs 3"), scenes, tmp_path / "other/best_model.pth", run) == 4
    assert "RSF-C006" in capsys.readouterr().err and (run / "latest_model.pth").read_bytes() == before


def test_a_run_that_was_given_another_input_is_not_resumed(spatial_run, monkeypatch, capsys):
    before = (spatial_run / "latest_model.pth").read_bytes()
    monkeypatch.setattr(first_stage, "LAYOUT", "stage-1 predictions of later")
    assert rsforge("hsi train-stage2 --epochs 6 --resume {}", spatial_run / "latest_model.pth") == 4
    assert "gave the run to resume another input" in capsys.readouterr().err
    assert (spatial_run / "latest_model.pth").read_bytes() == before


def test_overwrite_removes_what_was_predicted(scenes, stage1, tmp_path):
    assert rsforge(f"{SPATIAL} --epochs 1", scenes, stage1, tmp_path) == 0
    assert (tmp_path / "stage1_predictions").exists()
    assert rsforge(f"{TRUTH} --epochs 1", scenes, tmp_path) == 2
    assert rsforge(f"{TRUTH} --epochs 1 --overwrite", scenes, tmp_path) == 0
    assert not (tmp_path / "stage1_predictions").exists()


def test_two_processes_equal_one_at_the_same_global_batch(stage1, tmp_path):
    """Holes that leave some crops nothing: a mean over the valid pixels of each process would differ."""
    scenes = draw_scenes(tmp_path / "scenes", 4, holes=(4, 27, 4))  # twice four to train on

    def spell(name, batch):
        line = SPATIAL.replace("--batch-size 2", f"--batch-size {batch} --lr-scheduler constant --log-every 1")
        # A larger epsilon: else Adam makes whole steps of gradients that are nothing but rounding.
        line += " --max-train-steps 3 --crop-size 15 --adam-epsilon 1e-3 --lr 1e-2"
        return line.format(scenes, stage1, tmp_path / name)

    done = warm_python.run(["-m", "tests.worlds.two_processes", spell("two", 2)])
    assert done.returncode == 0, done.stderr
    assert rsforge(spell("one", 4)) == 0
    two, one = (tensors(tmp_path / name / "latest_model.pth") for name in ("two", "one"))
    for name in (name for name in two if name.startswith("/nets/")):
        torch.testing.assert_close(two[name], one[name], rtol=1e-3, atol=1e-5)
    journals = [read(tmp_path / name / "journal.jsonl") for name in ("two", "one")]
    figures = [[row["val/rmse"] for row in rows if "val/rmse" in row] for rows in journals]
    assert figures[0] == pytest.approx(figures[1], rel=1e-5)


def test_a_dry_run_writes_nothing(memory_plan, scenes, stage1, tmp_path, capsys):
    assert rsforge(f"{SPATIAL} --epochs 2 --dry-run --json", scenes, stage1, tmp_path / "run") == 0
    plan = json.loads(capsys.readouterr().out)["plan"]
    assert not (tmp_path / "run").exists() and (plan["training_images"], plan["held_out_images"]) == (6, 3)
    assert plan["frozen_parameters"] > 0 and plan["step_memory_mib"] > plan["weights_and_optimizer_mib"]


@pytest.mark.parametrize(
    ("more", "code", "words"),
    [
        ("--scale 0.5", 2, "a scale of 0.5"),
        ("--scale abc", 2, "--scale"),
        ("--scale 31", 3, "too small for a factor of 31"),
        ("--scale 7.51", 3, "at least 751 pixels"),
        ("--crop-size 32", 2, "such as 30"),
        ("--crop-size 45", 3, "45"),
        ("--attention-window 4", 2, "has no middle"),
        ("--l1-weight 0 --sam-weight 0", 2, "nothing to learn"),
        ("--stage1-checkpoint nowhere.pth", 4, "RSF-C001"),
    ],
)  # fmt: skip
def test_what_cannot_be_trained_is_refused(scenes, stage1, tmp_path, capsys, more, code, words):
    line = SPATIAL.replace("--stage1-checkpoint {} ", "" if "stage1" in more else f"--stage1-checkpoint {stage1} ")
    assert rsforge(f"{line} --epochs 1 {more}", scenes, tmp_path / "run") == code
    assert words in capsys.readouterr().err and not (tmp_path / "run").exists()


def test_wrong_partners_and_wrong_data_are_named(scenes, stage1, spatial_run, tmp_path, capsys):
    def refuse(line, code, words, *paths):
        assert rsforge(line, *paths, tmp_path / "run") == code
        assert words in capsys.readouterr().err and not (tmp_path / "run").exists()

    refuse(SPATIAL, 4, "RSF-C004", scenes, spatial_run / "best_model.pth")
    refuse(SPATIAL.replace("--stage1-checkpoint {} ", ""), 2, "no stage 1 is named", scenes)
    write_plain(tmp_path / "other" / "x.h5", 2, bands=11, landsat=3, size=16)
    refuse(f"{SPATIAL} --val-fraction 0", 4, "is 12 in stage 1 and 11 in the patches", tmp_path / "other", stage1)
    write_plain(tmp_path / "none" / "x.h5", 0)
    refuse(TRUTH, 3, "hold no patches", tmp_path / "none")
    write_plain(tmp_path / "small" / "x.h5", 2, size=14)
    refuse(f"{TRUTH} --val-fraction 0", 3, "RSF-D003", tmp_path / "small")
    scene = write_scene(tmp_path / "one" / "x.h5", 1)
    refuse(TRUTH, 3, "--val-fraction 0", tmp_path / "one")  # a single patch cannot be divided
    edit(scene, "aviris", (0, 3, 4, 1), float("nan"))
    refuse(f"{TRUTH} --val-fraction 0", 3, "RSF-D008", tmp_path / "one")
    edit(scene, "aviris", (0, slice(None), slice(None), 1), -3.0)
    refuse(f"{TRUTH} --val-fraction 0", 3, "RSF-D010", tmp_path / "one")
    refuse(TRUTH, 3, "RSF-D001", tmp_path / "nowhere")
    with h5py.File(scene, "r+") as file:
        del file["aviris"]
    refuse(TRUTH, 3, "aviris", tmp_path / "one")


def test_options_that_do_nothing_are_said(scenes, stage1, tmp_path, capsys):
    line = "hsi train-spatial --data-dir {} --output-dir {} --dry-run --model lightweight --stage1-checkpoint {} "
    line = line + "--num-groups 2 --per-band"
    assert rsforge(line, scenes, tmp_path, stage1) == 0
    said = capsys.readouterr().err
    assert "--num-groups is not used" in said and "--per-band is not used" in said
    assert rsforge(f"{line} --source truth", scenes, tmp_path, stage1) == 0
    said = capsys.readouterr().err
    assert "--stage1-checkpoint is not used" in said and "--per-band is not used" not in said


def test_the_tiny_preset_trains_in_seconds(scenes, stage1, tmp_path):
    line = "hsi train-spatial --data-dir {} --stage1-checkpoint {} --output-dir {} --config hsi-spatial-tiny "
    assert rsforge(line + "--report-to none --epochs 2", scenes, stage1, tmp_path / "run") == 0
    start, *rows = (row for row in read(tmp_path / "run/journal.jsonl") if row.get("closed"))
    assert start["step"] == 0 and [row["epoch"] for row in rows] == [1, 2]
    assert start["val/rmse"] == start["val/bicubic_rmse"] and start["val/sam_deg"] == start["val/bicubic_sam_deg"]


def test_nothing_held_out_and_no_wavelengths(tmp_path, capsys):
    write_plain(tmp_path / "set" / "x.h5", 2)
    assert rsforge(f"{TRUTH} --val-fraction 0 --epochs 1", tmp_path / "set", tmp_path / "run") == 0
    assert "no wavelengths" in capsys.readouterr().err
    state = checkpoint.load(tmp_path / "run/best_model.pth")
    assert state["wavelength_nm"] == [] and state["scale"] == "15/2" and state["partners"] == {}


def test_info_says_what_it_is(spatial_run, stage1, capsys):
    assert rsforge("info {} --json", spatial_run / "checkpoints" / "checkpoint_epoch_005.pth") == 0
    told = json.loads(capsys.readouterr().out)
    assert told["kind"] == "hsi-spatial" and told["scale"] == "15/2" and told["source"] == "stage1"
    assert told["partners"]["stage1"]["path"] == str(stage1) and len(told["partners"]["stage1"]["digest"]) == 64
