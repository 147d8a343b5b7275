"""Bad input ends in one clear sentence and the right exit code, with nothing lost and nothing half-written."""

from __future__ import annotations

import contextlib
import json
import os
import resource
import signal
import threading
import time
from dataclasses import replace

import pytest
import torch
from PIL import Image

from rsforge import durable
from rsforge.cli.tree import COMMAND_LINE
from rsforge.data.synthetic.tile_dataset import write_tiles
from rsforge.engine import checkpoint
from rsforge.models.vgg import VggFeatures
from rsforge.tasks.vae import VaeTask
from tests.worlds.commands import DIFFUSION, VAE, rsforge

VAE_LINE = f"vae train --data-dir {{}} --output-dir {{}} --epochs 1 --kl-warmup 0 --report-to none {VAE}"
DIFFUSION_LINE = f"diffusion train --vae {{}} --data-dir {{}} --output-dir {{}} --epochs 1 --report-to none {DIFFUSION}"
SAMPLE_LINE = "sample --diffusion-checkpoint {} --vae-checkpoint {} --output {} --ddim-steps 2 --num-images 2"


@pytest.fixture
def failing(capsys):
    """Run a command line that must fail with a code; returns what was said."""

    def check(code, exit_code, line, *paths):
        capsys.readouterr()
        assert rsforge(line, *paths) == exit_code
        said = capsys.readouterr()
        assert f"error[{code}]" in said.err and "Traceback" not in said.err and said.out == ""
        assert len(said.err[said.err.index("error[") :].splitlines()) <= 8
        return said.err

    return check


def test_an_empty_or_missing_folder(failing, tmp_path):
    (tmp_path / "empty").mkdir()
    for folder in ("empty", "missing"):
        said = failing("RSF-D001", 3, VAE_LINE, tmp_path / folder, tmp_path / "run")
        assert f"No images found in {tmp_path / folder}" in said
    assert not (tmp_path / "run").exists()


def test_a_norm_over_single_values_is_refused(failing, job, tmp_path):
    line = DIFFUSION_LINE.replace("--hidden 16,16,32,32", "--hidden 8,8,16,16") + " --dry-run"
    said = failing("RSF-U005", 2, line, job.vae / "best_model.pt", job.tiles, tmp_path / "run")
    assert "--hidden 8" in said and "16" in said


def test_a_corrupt_image_among_good_ones(failing, job, tmp_path, capsys):
    tiles = tmp_path / "tiles"
    write_tiles(tiles, 6, 16, seed=2)
    (tiles / "broken.png").write_bytes((tiles / "tile_0001.png").read_bytes()[:200])
    said = failing("RSF-D002", 3, VAE_LINE, tiles, tmp_path / "run")
    assert "broken.png" in said and "--on-bad skip" in said
    assert rsforge(f"{VAE_LINE} --on-bad skip", tiles, tmp_path / "run") == 0
    assert "broken.png" in capsys.readouterr().err


def test_every_suffix_of_the_document_is_read_whatever_its_case(job, tmp_path):
    for i, suffix in enumerate(("png", "PNG", "jpg", "JPG", "jpeg", "JPEG", "bmp", "tif")):
        image = Image.new("RGB", (20, 16), (i * 20, 90, 200 - i * 20))
        image.save(tmp_path / f"{i}.{suffix}")
    assert rsforge(VAE_LINE, tmp_path, tmp_path / "run") == 0
    assert checkpoint.load(tmp_path / "run" / "best_model.pt")["images"]["train"] == 7


def test_nested_copies_count_once(job, tmp_path, capsys):
    """The document's corel_all beside class_XXXX would show every image twice, on both sides of the split."""
    for folder in ("corel_all", "class_0001"):
        write_tiles(tmp_path / "corel" / folder, 10, 16, seed=3)
    assert rsforge(VAE_LINE, tmp_path / "corel", tmp_path / "run") == 0
    assert "10 images, 10 duplicates left out" in capsys.readouterr().err


@pytest.mark.parametrize("count", [1, 2, 3])
def test_fewer_images_than_a_batch_is_no_failure(job, tmp_path, count):
    write_tiles(tmp_path / "few", count, 16, seed=4)
    assert rsforge(VAE_LINE, tmp_path / "few", tmp_path / "run") == 0


def test_sizes_that_do_not_fit(failing, job, tmp_path):
    said = failing("RSF-U005", 2, VAE_LINE.replace("--image-size 16", "--image-size 18"), job.tiles, tmp_path / "r")
    assert "18" in said
    line = DIFFUSION_LINE.replace("--image-size 16", "--image-size 32")
    said = failing("RSF-C006", 4, line, job.vae / "best_model.pt", job.tiles, tmp_path / "r")
    assert "--image-size 16" in said and not (tmp_path / "r").exists()


def test_checkpoints_missing_foreign_truncated_or_of_another_kind(failing, job, tmp_path):
    def train(path, code):
        said = failing(code, 4, DIFFUSION_LINE, path, job.tiles, tmp_path / "run")
        assert not (tmp_path / "run").exists()
        return said

    assert "VAE checkpoint not found" in train(tmp_path / "none.pt", "RSF-C001")
    torch.save(torch.nn.Linear(1, 1).state_dict(), tmp_path / "foreign.pt")
    train(tmp_path / "foreign.pt", "RSF-C003")
    (tmp_path / "cut.pt").write_bytes((job.vae / "best_model.pt").read_bytes()[:5000])
    train(tmp_path / "cut.pt", "RSF-C002")
    assert "of kind diffusion, where vae is needed" in train(job.diffusion / "best_model.pt", "RSF-C004")


def test_an_autoencoder_that_is_not_the_partner(failing, job, tmp_path):
    paths = (job.diffusion / "best_model.pt", job.vae / "checkpoint_0002.pt", tmp_path / "x.png")
    assert "trained with" in failing("RSF-C006", 4, SAMPLE_LINE, *paths)
    assert rsforge(DIFFUSION_LINE, job.vae / "best_model.pt", job.tiles, tmp_path / "run") == 0
    paths = (job.vae / "checkpoint_0002.pt", job.tiles, tmp_path / "run")
    failing("RSF-C006", 4, f"{DIFFUSION_LINE} --resume", *paths)


def test_the_output_name_is_judged_before_anything_is_loaded(failing, tmp_path):
    failing("RSF-U006", 2, SAMPLE_LINE, tmp_path / "none.pt", tmp_path / "none.pt", tmp_path / "x.txt")


def test_more_ddim_steps_than_the_schedule_has(failing, job, tmp_path):
    line = SAMPLE_LINE.replace("--ddim-steps 2", "--ddim-steps 41")
    failing("RSF-U005", 2, line, job.diffusion / "best_model.pt", job.vae / "best_model.pt", tmp_path / "x.png")


def test_perceptual_without_weights_is_refused_where_it_was_asked_for(failing, job, tmp_path, monkeypatch):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "empty cache"))
    line = VAE_LINE.replace("--no-perceptual", "--perceptual")
    said = failing("RSF-E007", 6, line, job.tiles, tmp_path / "run")
    assert "--vgg-weights" in said and "--no-perceptual" in said and not (tmp_path / "run").exists()


def test_perceptual_weights_are_used_and_never_saved(job, tmp_path):
    torch.manual_seed(0)
    torch.save(VggFeatures().state_dict(), tmp_path / "vgg.pth")
    line = f"{VAE_LINE.replace('--no-perceptual', '')} --vgg-weights {{}}"
    assert rsforge(line, job.tiles, tmp_path / "run", tmp_path / "vgg.pth") == 0
    state = checkpoint.load(tmp_path / "run" / "best_model.pt")
    assert not [place for place, _ in checkpoint.tensors(state["nets"]) if "vgg" in place or "features" in place]
    assert '"perceptual": 0.0' not in (tmp_path / "run" / "journal.jsonl").read_text()


@pytest.fixture
def poisoned(monkeypatch):
    """The loss of the autoencoder is not a number from the sixth step on, at the rate that was typed first."""
    sound = VaeTask.step

    def step(self, batch, context):
        for turn in sound(self, batch, context):
            bad = context.step >= 6 and "1e-3" in " ".join(COMMAND_LINE.argv)
            yield replace(turn, loss=turn.loss * float("nan")) if bad else turn

    monkeypatch.setattr(VaeTask, "step", step)


LONG = f"{VAE_LINE.replace('--epochs 1', '--epochs 3')} --learning-rate 1e-3"


def test_a_loss_that_is_not_finite_names_the_images(failing, poisoned, job, tmp_path):
    assert "tile_00" in failing("RSF-T001", 5, LONG, job.tiles, tmp_path / "run")


def test_a_run_whose_loss_was_not_finite_goes_on_at_a_lower_rate(failing, poisoned, job, tmp_path, capsys):
    failing("RSF-T001", 5, LONG, job.tiles, tmp_path / "run")
    assert json.loads((tmp_path / "run/ended.json").read_text())["code"] == "RSF-T001"
    assert rsforge("vae train --resume {} --learning-rate 1e-4", tmp_path / "run/latest_model.pt") == 0
    assert "changed    --learning-rate was 0.001, is 0.0001" in capsys.readouterr().err
    assert not (tmp_path / "run/ended.json").exists()
    assert checkpoint.load(tmp_path / "run/latest_model.pt")["settings"]["optim"]["learning_rate"] == 1e-4


def test_a_missing_device(failing, job, tmp_path):
    if not torch.cuda.is_available():
        failing("RSF-E005", 6, f"{VAE_LINE} --device cuda", job.tiles, tmp_path / "run")


def test_a_place_that_cannot_be_written(failing, job, tmp_path):
    (tmp_path / "file").write_text("")
    failing("RSF-E008", 6, VAE_LINE, job.tiles, tmp_path / "file" / "run")


def test_a_read_only_folder(failing, job, tmp_path, monkeypatch):
    def read_only(self, *_, **__):
        raise OSError(30, "Read-only file system", str(self))

    monkeypatch.setattr("pathlib.Path.touch", read_only)
    assert "Read-only" in failing("RSF-E002", 6, VAE_LINE, job.tiles, tmp_path / "run")


@contextlib.contextmanager
def files_up_to(size):
    """No file can become longer than ``size`` bytes."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_full_disk_keeps_what_was_written(failing, job, tmp_path):
    """A file size limit acts as a quota: the second run's save fails, and the first one's files stay whole."""
    line = f"{VAE_LINE} --save-every 1"
    assert rsforge(line, job.tiles, tmp_path / "run") == 0
    before = (tmp_path / "run" / "latest_model.pt").read_bytes()
    longer = line.replace("--epochs 1", "--epochs 2") + " --resume"
    with files_up_to(20_000):
        failing("RSF-E001", 6, longer, job.tiles, tmp_path / "run")
    assert (tmp_path / "run" / "latest_model.pt").read_bytes() == before
    assert not list((tmp_path / "run").glob(".tmp-*"))
    assert rsforge(longer, job.tiles, tmp_path / "run") == 0


def test_a_folder_in_use_is_refused_with_the_holders_pid(failing, job, tmp_path):
    (tmp_path / "run").mkdir()
    ready, done = os.pipe(), os.pipe()
    holder = os.fork()
    if holder == 0:
        with durable.lock_folder(tmp_path / "run"):
            os.write(ready[1], b"x")
            os.read(done[0], 1)
        os._exit(0)
    os.read(ready[0], 1)
    said = failing("RSF-E003", 6, VAE_LINE, job.tiles, tmp_path / "run")
    os.write(done[1], b"x")
    os.waitpid(holder, 0)
    assert f"pid {holder}" in said
    assert rsforge(VAE_LINE, job.tiles, tmp_path / "run") == 0


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_in_a_checkpoint_and_the_command_that_goes_on(failing, job, tmp_path, number, code):
    latest = tmp_path / "run" / "latest_model.pt"

    def send_once_there_is_a_checkpoint():
        deadline = time.monotonic() + 60
        while not latest.exists() and time.monotonic() < deadline:
            time.sleep(0.01)
        os.kill(os.getpid(), number)

    line = VAE_LINE.replace("--epochs 1", "--epochs 5000 --sample-every 5000")
    sender = threading.Thread(target=send_once_there_is_a_checkpoint)
    sender.start()
    said = failing(f"RSF-I{code}", code, line, job.tiles, tmp_path / "run")
    sender.join()
    shown = next(row for row in said.splitlines() if row.strip().startswith("fix:"))
    assert "rsforge vae train" in shown and shown.endswith("--resume")
    assert f"step {checkpoint.load(latest)['progress']['step']}" in said
