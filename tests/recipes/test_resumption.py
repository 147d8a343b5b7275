"""Going on with a run: what it may change, what it is told, and what a refusal must not destroy."""

from __future__ import annotations

import os
import signal
import time
from types import SimpleNamespace

import pytest

from rsforge.data.synthetic.tile_dataset import write_tiles
from rsforge.engine import checkpoint
from rsforge.recipes.training.output_dir import resume_hint
from tests.worlds import warm_python
from tests.worlds.commands import DIFFUSION, VAE, command, rsforge

VAE_LINE = f"vae train --data-dir {{}} --output-dir {{}} --epochs 1 --kl-warmup 0 --report-to none {VAE}"
DIFFUSION_LINE = f"diffusion train --vae {{}} --data-dir {{}} --output-dir {{}} --epochs 1 --report-to none {DIFFUSION}"


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_to_the_whole_group_with_workers_still_ends_in_a_checkpoint(job, tmp_path, number, code):
    """Shells and schedulers signal every process of a job at once, its loader workers too."""
    line = VAE_LINE.replace("--epochs 1", "--epochs 5000 --sample-every 5000")
    line = line.replace("--num-workers 0", "--num-workers 1")
    running = warm_python.start(["-m", "rsforge", *command(line, job.tiles, tmp_path / "run")])
    deadline = time.monotonic() + 60
    while not (tmp_path / "run" / "latest_model.pt").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    os.killpg(running.pid, number)
    done = running.wait(60)
    assert done.returncode == code, done.stderr
    assert checkpoint.load(tmp_path / "run" / "latest_model.pt")["progress"]["step"] > 0


def test_overwrite_destroys_nothing_when_the_new_run_is_refused(job, tmp_path, capsys):
    paths = (job.vae / "best_model.pt", job.tiles, tmp_path / "run")
    assert rsforge(DIFFUSION_LINE, *paths) == 0
    before = sorted(p.name for p in (tmp_path / "run").iterdir())
    for dry in ("", " --dry-run"):
        assert rsforge(f"{DIFFUSION_LINE} --overwrite --jitter 0.2{dry}", *paths) == 2
        assert "--no-latent-cache" in capsys.readouterr().err
    assert sorted(p.name for p in (tmp_path / "run").iterdir()) == before


def test_a_run_goes_on_in_its_own_folder_only(job, tmp_path, capsys):
    assert rsforge(f"{VAE_LINE} --resume {{}}", job.tiles, tmp_path / "b", job.vae / "latest_model.pt") == 2
    assert f"--output-dir {job.vae}" in capsys.readouterr().err and not (tmp_path / "b").exists()


def test_images_among_the_runs_own_pictures_are_refused_before_they_could_be_cleared(job, tmp_path, capsys):
    write_tiles(tmp_path / "run" / "samples" / "mine", 4, 16, seed=6)
    for extra, words in {"": "--overwrite", " --overwrite": "own files"}.items():
        assert rsforge(VAE_LINE + extra, tmp_path / "run" / "samples" / "mine", tmp_path / "run") == 2
        assert words in capsys.readouterr().err
    assert len(list((tmp_path / "run" / "samples" / "mine").iterdir())) == 4


def test_batches_of_one_image_are_avoided_or_refused(job, tmp_path, capsys):
    """33 images in batches of 16 would leave one alone; four levels bring 16 pixels down to one."""
    line = VAE_LINE.replace("--channels 8,16", "--channels 4,4,4,4").replace("--batch-size 8", "--batch-size 16")
    write_tiles(tmp_path / "tiles", 37, 16, seed=5)
    assert rsforge(line, tmp_path / "tiles", tmp_path / "run") == 0
    assert rsforge(f"{line} --batch-size 1", tmp_path / "tiles", tmp_path / "one") == 2
    assert "batches of one image" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("typed", "shown"),
    [
        ("rsforge vae train --epochs 3", "rsforge vae train --epochs 3 --resume"),
        ("rsforge vae train --resume old.pt --epochs 3", "rsforge vae train --epochs 3 --resume"),
        ("rsforge vae train --resume --epochs 3", "rsforge vae train --epochs 3 --resume"),
        ("rsforge vae train --resume_from=old.pt --overwrite -q", "rsforge vae train -q --resume"),
        ("rsforge vae train --data-dir 'my tiles' --resume", "rsforge vae train --data-dir 'my tiles' --resume"),
    ],
)
def test_the_hint_goes_on_from_the_newest_checkpoint(typed, shown):
    assert resume_hint(SimpleNamespace(command=typed)) == shown
