"""``rsforge clip train`` on drawn pairs of 16 pixels."""

from __future__ import annotations

import json
import shutil
import time

import pytest
import torch

from rsforge.data.pairs.tables import read_table
from rsforge.engine import checkpoint
from rsforge.engine.journal import read
from rsforge.recipes.clip.load import load_text_encoder
from rsforge.recipes.clip.train import read_images
from rsforge.recipes.training.job import Compute
from rsforge.settings.base import RunSettings
from rsforge.settings.clip import ClipDataSettings, ClipTrainSettings
from tests.worlds import warm_python
from tests.worlds.clip import TINY, TRAIN, draw_dataset
from tests.worlds.commands import rsforge
from tests.worlds.consoles import RecordingConsole


def tensors(folder):
    """All tensors of the last checkpoint: weights, averages, optimizer."""
    return dict(checkpoint.tensors(checkpoint.load(folder / "latest_clip.pt")))


def read_dataset(root, console=None, **options):
    settings = ClipTrainSettings(
        run=RunSettings(output_dir=root / "none"), data=ClipDataSettings(data_dir=str(root), image_size=16), **options
    )
    return read_images(settings, Compute(torch.device("cpu"), None), console or RecordingConsole())


def test_trap_14_a_run_writes_all_names_of_the_document(clip_run):
    names = {path.name for path in clip_run.iterdir()}
    assert {"best_clip.pt", "latest_clip.pt", "clip_epoch_4.pt", "journal.jsonl", "training_losses.png"} <= names
    assert not {name for name in names if "model" in name or "epoch_5" in name} and "samples" not in names


def test_trap_14_the_best_model_is_there_though_no_epoch_was_saved(dataset, tmp_path):
    """The document's training wrote it only where the best epoch was one of those that are kept."""
    assert rsforge(TRAIN + "--epochs 2 --save-every 5", dataset, tmp_path / "run") == 0
    assert (tmp_path / "run/best_clip.pt").is_file() and not (tmp_path / "run/clip_epoch_1.pt").exists()


def test_figures_are_of_the_whole_set_with_the_level_of_chance(clip_run, dataset):
    closed = [row for row in read(clip_run / "journal.jsonl") if row.get("closed")]
    assert len(closed) == 6
    held_out = read_dataset(dataset).held_out
    prompts = len(set(held_out.prompts))
    for row in closed:
        assert row["val/chance_1"] == pytest.approx(1 / prompts)
        assert row["val/recall_5"] >= row["val/recall_1"]
    assert closed[-1]["val/loss"] < closed[0]["val/loss"]


def test_the_checkpoint_holds_vocabulary_template_and_architecture(clip_run, dataset):
    network, loaded, tokenizer = load_text_encoder(clip_run / "best_clip.pt", torch.device("cpu"))
    words = {word for prompt in read_dataset(dataset).prompts for word in prompt.lower().replace(",", "").split()}
    assert {word.strip(":") for word in words} <= set(tokenizer.vocabulary)
    assert loaded.state["prompt_template"] == "Colorise image, Region: {region}, Season: {season}"
    assert network.embeddings.token_embedding.num_embeddings == len(tokenizer)
    assert loaded.state["baselines"]["counts"].sum() == loaded.state["images"]["train"]


def test_trap_16_whole_scenes_are_held_out(dataset):
    scene = {}
    for table in dataset.glob("data_*.csv"):
        scene |= {row.optical.stem + row.optical.parent.name: row.scene for row in read_table(dataset, table)}
    pairs = read_dataset(dataset).pairs
    sides = [{one["scene"] for one in metadata} for metadata in (pairs.train_metadata, pairs.held_out_metadata)]
    assert sides[0] and sides[1] and not sides[0] & sides[1] and sides[0] | sides[1] == set(scene.values())


@pytest.fixture(scope="module")
def kept_at_every_step(dataset, tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole") / "clip"
    line = TRAIN.replace("--dropout 0 ", "--dropout 0.3 --flip 0.5 --ema --log-every 1 ")
    assert rsforge(f"{line} --max-train-steps 10 --save-every-steps 1", dataset, folder) == 0
    return folder


@pytest.mark.parametrize("step", [1, 5, 8])
def test_trap_15_a_run_resumed_at_any_step_is_one_never_interrupted(kept_at_every_step, tmp_path, step):
    shutil.copy(kept_at_every_step / f"clip_step_{step}.pt", tmp_path)
    shutil.copy(kept_at_every_step / "journal.jsonl", tmp_path)
    shutil.copy(kept_at_every_step / "best_clip.pt", tmp_path)
    assert rsforge("clip train --resume {}", tmp_path / f"clip_step_{step}.pt") == 0
    cut, whole = tensors(tmp_path), tensors(kept_at_every_step)
    assert cut.keys() == whole.keys() and all(torch.equal(cut[name], whole[name]) for name in cut)
    assert (tmp_path / "journal.jsonl").read_bytes() == (kept_at_every_step / "journal.jsonl").read_bytes()


def test_two_processes_equal_one_at_the_same_global_batch_and_resume_to_the_bit(dataset, tmp_path):
    def spell(name, steps, batch=4):
        line = TRAIN.replace("--batch-size 8", f"--batch-size {batch} --lr-scheduler constant --log-every 1")
        return f"{line} --max-train-steps {steps}".replace("{}", str(dataset), 1).replace("{}", str(tmp_path / name))

    lines = [spell("whole", 4), spell("cut", 2), spell("cut", 4) + " --resume"]
    done = warm_python.run(["-m", "tests.worlds.two_processes", *lines])
    assert done.returncode == 0, done.stderr
    whole, cut = tensors(tmp_path / "whole"), tensors(tmp_path / "cut")
    assert whole.keys() == cut.keys() and all(torch.equal(whole[name], cut[name]) for name in whole)
    assert rsforge(spell("one", 4, batch=8)) == 0
    # Biases of keys cancel in a softmax: their gradient is nothing but rounding, which Adam makes steps of.
    weights = [name for name in whole if name.startswith("/nets/") and not name.endswith("k_proj.bias")]
    one = tensors(tmp_path / "one")
    for name in weights:
        torch.testing.assert_close(whole[name], one[name], rtol=1e-3, atol=1e-5)
    losses = [[row["loss"] for row in read(tmp_path / f / "journal.jsonl") if "loss" in row] for f in ("whole", "one")]
    assert losses[0] == pytest.approx(losses[1], rel=1e-3)


def test_trap_18_unknown_regions_are_counted(tmp_path):
    root = draw_dataset(tmp_path / "Dataset", 24)
    table = root / "data_r_001.csv"
    table.write_text(table.read_text().replace(",temperate,", ",NaN,"))
    console = RecordingConsole()
    data = read_dataset(root, console)
    assert console.has_line("the metadata does not say region of 8 of 24 pairs")
    assert any("Region: unknown" in prompt for prompt in data.prompts) and not any("nan" in p for p in data.prompts)


def test_trap_20_a_template_may_use_any_column_and_no_other(memory_plan, dataset, tmp_path, capsys):
    line = TRAIN + "--epochs 1 --dry-run --prompt-template "
    assert (
        rsforge(
            f"{line} {{}}", dataset, tmp_path / "run", "{season} {operational-mode} on {date-time} in {country} {bands}"
        )
        == 2
    )
    assert "--max-length" in capsys.readouterr().err
    assert (
        rsforge(f"{line} {{}} --max-length 30", dataset, tmp_path / "run", "{season} {operational-mode} {date-time}")
        == 0
    )
    assert "cannot be estimated" not in capsys.readouterr().err
    assert rsforge(f"{line} {{}}", dataset, tmp_path / "run", "in {season} with {weather}") == 2
    told = capsys.readouterr().err
    assert "RSF-U005" in told and "{weather}" in told and "operational-mode" in told


@pytest.mark.parametrize(
    ("more", "code", "words"),
    [
        ("--num-heads 3", 2, "3 heads do not divide 16"),
        ("--batch-size 1", 2, "nothing to be told apart"),
        ("--prompt-template {season", 2, "prompt template cannot be read"),
        ("--prompt-template satellite", 3, "same prompt"),
        ("--vocab-size 4", 2, "vocab-size"),
    ],
)
def test_what_cannot_be_trained_is_refused(dataset, tmp_path, capsys, more, code, words):
    assert rsforge(f"{TRAIN} --epochs 1 {more}", dataset, tmp_path / "run") == code
    assert words in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def test_a_small_vocabulary_is_said_and_used(dataset):
    console = RecordingConsole()
    data = read_dataset(dataset, console, encoder={"vocab_size": 12})
    assert len(data.tokenizer) == 12 and console.has_line("does not know")


def test_accumulation_is_said_to_bring_no_negatives(dataset, tmp_path, capsys):
    assert rsforge(TRAIN + "--epochs 1 --grad-accum 2 --sample-every 1", dataset, tmp_path / "run") == 0
    told = capsys.readouterr().err
    assert "no more negatives" in told and "--sample-every is not used" in told


def test_another_prompt_of_an_image_is_another_run(tmp_path, capsys):
    root = draw_dataset(tmp_path / "Dataset", 24)
    assert rsforge(TRAIN + "--epochs 1", root, tmp_path / "run") == 0
    table = root / "data_r_001.csv"
    table.write_text(table.read_text().replace(",spring,", ",winter,").replace(",fall,", ",winter,"))
    assert rsforge(TRAIN + "--epochs 2 --resume", root, tmp_path / "run") == 4
    assert "RSF-C008" in capsys.readouterr().err


def test_the_checkpoint_alone_says_what_goes_on(dataset, tmp_path, monkeypatch, capsys):
    """The document's resume line: no option but the data set and the checkpoint."""
    monkeypatch.chdir(tmp_path)
    assert rsforge(f"clip train --dataset_path {{}} --epochs 2 --save-every 1 {TINY}", dataset) == 0
    resume = "clip train --dataset_path {} --resume_from ./checkpoints/clip/clip_epoch_1.pt"
    assert rsforge(resume, dataset) == 0
    state = checkpoint.load(tmp_path / "checkpoints/clip/latest_clip.pt")
    assert state["progress"]["epoch"] == 2 and state["architecture"]["text_encoder"]["embedding_dim"] == 16


def test_the_tiny_preset_learns_the_prompts_in_seconds(tmp_path):
    root = draw_dataset(tmp_path / "Dataset", 64)
    line = "clip train --dataset-path {} --output-dir {} --config clip-tiny --report-to none --image-size 16"
    started = time.process_time()
    assert rsforge(line, root, tmp_path / "run") == 0
    assert time.process_time() - started < 60
    rows = read(tmp_path / "run/journal.jsonl")
    closed, losses = [row for row in rows if row.get("closed")], [row["loss"] for row in rows if "loss" in row]
    assert losses[-1] < losses[0] / 2
    assert max(row["val/recall_1"] for row in closed) > 1.5 * closed[0]["val/chance_1"]


def test_info_says_what_it_is(clip_run, capsys):
    assert rsforge("info {} --json", clip_run / "best_clip.pt") == 0
    told = json.loads(capsys.readouterr().out)
    words = checkpoint.load(clip_run / "best_clip.pt")["vocabulary"]
    assert told["kind"] == "clip" and told["max_length"] == 16 and "{region}" in told["prompt_template"]
    assert told["architecture"]["text_encoder"]["vocab_size"] == len(words)
    assert set(told["parameters"]) == {"text_encoder", "image_encoder", "head"} == set(told["nets"])


def test_half_precision_trains_too(dataset, tmp_path):
    assert rsforge(TRAIN + "--epochs 1 --mixed-precision bf16", dataset, tmp_path / "run") == 0
    rows = read(tmp_path / "run/journal.jsonl")
    assert rows[-1]["val/loss"] > 0 and rows[-1]["val/recall_5"] <= 1
