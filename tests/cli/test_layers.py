"""What nobody typed: files that a former command makes, further inputs of a command, and the run to resume."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from pydantic import Field

from rsforge.engine import checkpoint
from rsforge.engine.checkpoint_writer import CheckpointNames
from rsforge.recipes.output_names import OutputLayout
from rsforge.settings.base import LoopSettings, OptimSettings, RunSettings
from rsforge.settings.images import TileSettings
from rsforge.settings.sections import Section, also, anchor, nest

OUTPUTS = OutputLayout(CheckpointNames("checkpoint_{:04d}.pt"), plot="losses.png", samples="samples/epoch_{}.png")


class ToySettings(Section):
    """Settings of ``rsforge toy``."""

    run: RunSettings = RunSettings(output_dir=Path("toy_models"))
    data: TileSettings
    loop: LoopSettings = LoopSettings(epochs=10)
    optim: OptimSettings = OptimSettings()
    start: Path = Field(
        description="Model to begin with.", json_schema_extra=also(made="base/best_model.pt", by="base train")
    )


@pytest.fixture
def resumable(toy):
    return toy(ToySettings, method=lambda: SimpleNamespace(kind="toy", outputs=OUTPUTS), writes=True)


def save(path: str, kind: str = "toy", **options) -> Path:
    """A checkpoint of a run with these settings, as a training writes them."""
    tree = nest(ToySettings, {"data_dir": "images", "start": "base.pt", **options})
    settings = anchor(ToySettings.model_validate(tree)).model_dump(mode="json")
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    checkpoint.save(Path(path), {"kind": kind, "settings": settings, "nets": {"n": {"w": torch.ones(2)}}})
    return Path(path)


def test_resume_and_nothing_else_is_a_whole_command(shell, resumable):
    save("toy_models/checkpoint_0020.pt", epochs=20, batch_size=3, learning_rate=0.5, output_dir="toy_models")
    ran = shell("toy", "--resume", "toy_models/checkpoint_0020.pt", "--epochs", "22")
    assert ran.code == 0, ran.err
    s, origins = resumable.settings, resumable.console.origins
    assert (s.loop.epochs, s.loop.batch_size, s.optim.learning_rate) == (22, 3, 0.5)
    assert (s.data.data_dir, s.start, s.run.output_dir) == ("images", Path("base.pt"), Path("toy_models"))
    origin = "checkpoint toy_models/checkpoint_0020.pt"
    assert origins["batch_size"] == origins["data_dir"] == origins["start"] == origins["output_dir"] == origin
    assert origins["epochs"] == origins["resume"] == "option"
    assert ran.err == "settings   of toy_models/checkpoint_0020.pt, but for --epochs\n"


def test_the_folder_is_that_of_the_checkpoint_wherever_it_went(shell, resumable):
    save("moved/here/latest_model.pt", output_dir="elsewhere")
    assert shell("toy", "--resume_from", "moved/here/latest_model.pt").code == 0
    assert resumable.settings.run.output_dir == Path("moved/here")
    assert shell("toy", "--resume", "moved/here/latest_model.pt", "--output-dir", "typed").code == 0
    assert resumable.settings.run.output_dir == Path("typed")


def test_the_processes_of_a_launcher_do_not_say_it_again(shell, resumable, monkeypatch, tmp_path):
    save("toy_models/latest_model.pt", batch_size=3)
    monkeypatch.setenv("RSFORGE_EXIT_FOLDER", str(tmp_path))
    ran = shell("toy", "--resume")
    assert (ran.code, ran.err, resumable.settings.loop.batch_size) == (0, "", 3)


@pytest.mark.parametrize("words", [["--resume"], ["--resume", "--output-dir", "own"]])
def test_resume_alone_takes_the_newest_of_the_folder(shell, resumable, words):
    folder = words[-1] if len(words) > 1 else "toy_models"
    save(f"{folder}/checkpoint_0010.pt", batch_size=1)
    save(f"{folder}/latest_model.pt", batch_size=2)
    assert shell("toy", *words).code == 0
    assert resumable.settings.loop.batch_size == 2
    assert resumable.console.origins["batch_size"] == f"checkpoint {folder}/latest_model.pt"
    assert resumable.settings.run.output_dir == Path(folder)


def test_a_damaged_newest_checkpoint_gives_way_to_the_one_before(shell, resumable):
    save("toy_models/checkpoint_0010.pt", batch_size=1)
    Path("toy_models/latest_model.pt").write_bytes(Path("toy_models/checkpoint_0010.pt").read_bytes()[:500])
    assert shell("toy", "--resume").code == 0
    assert resumable.console.origins["batch_size"] == "checkpoint toy_models/checkpoint_0010.pt"


def test_files_and_environment_give_way_to_the_checkpoint_and_it_is_said(shell, resumable, monkeypatch):
    save("toy_models/latest_model.pt", batch_size=3, learning_rate=0.5)
    monkeypatch.setenv("RSFORGE_BATCH_SIZE", "7")
    Path("a.toml").write_text('learning_rate = 0.1\nepochs = 10\nbetas = ["0.9", 0.999]\nlr_min = "1e-5"\n')
    ran = shell("toy", "--resume", "-c", "a.toml", "--set", "grad_accum=2")
    assert ran.code == 0
    s = resumable.settings
    assert (s.loop.batch_size, s.optim.learning_rate, s.loop.grad_accum) == (3, 0.5, 2)
    told = "not used   --learning-rate of a.toml:1, --batch-size of env RSFORGE_BATCH_SIZE: "
    assert told + "toy_models/latest_model.pt says otherwise\n" in ran.err
    assert "but for --grad-accum\n" in ran.err


def test_what_concerns_one_process_is_not_taken_over(shell, resumable):
    save("toy_models/latest_model.pt", overwrite=True, multi_gpu=True, distributed=True, device="cpu", num_workers=1)
    assert shell("toy", "--resume").code == 0
    run = resumable.settings.run
    assert (run.overwrite, run.multi_gpu, run.distributed, run.resume) == (False, False, False, "auto")
    assert (run.device, run.num_workers) == ("cpu", 1)


def test_paths_of_the_checkpoint_are_not_joined_to_another_base(shell, resumable):
    save("w/toy_models/latest_model.pt")
    for words in (["--resume"], ["--resume", "toy_models/latest_model.pt"]):
        assert shell("toy", *words, "--base-dir", "w").code == 0
        s = anchor(resumable.settings)
        assert (s.data.data_dir, s.start) == (str(Path.cwd() / "images"), Path.cwd() / "base.pt")
        assert s.run.output_dir == Path("w/toy_models")


@pytest.mark.parametrize(
    ("resume", "code"), [(["--resume"], "RSF-C001"), (["--resume", "toy_models/absent.pt"], "RSF-C001"),
                         (["--resume", "other.pt"], "RSF-C004"), (["--resume", "text.pt"], "RSF-C003")],
)  # fmt: skip
def test_what_cannot_be_resumed_is_told(shell, resumable, resume, code):
    save("other.pt", kind="vae")
    Path("text.pt").write_text("no checkpoint")
    ran = shell("toy", *resume)
    assert ran.code == 4 and ran.err.startswith(f"error[{code}]")
    assert resumable.settings is None


def test_settings_of_an_older_or_newer_run_are_taken_as_far_as_they_are_known(shell, resumable):
    path = save("toy_models/latest_model.pt", batch_size=3)
    state = checkpoint.load(path)
    state["settings"]["loop"] |= {"of_the_future": 1}
    del state["settings"]["loop"]["grad_accum"]
    checkpoint.save(path, state)
    assert shell("toy", "--resume").code == 0
    assert (resumable.settings.loop.batch_size, resumable.settings.loop.grad_accum) == (3, 1)
    assert resumable.console.origins["grad_accum"] == "default"


def test_what_nobody_chose_then_is_not_chosen_now(shell, resumable):
    path = save("toy_models/latest_model.pt", batch_size=3, val_fraction=0.3)
    assert shell("toy", "--resume", "--grad-accum", "2").code == 0
    s, origins = resumable.settings, resumable.console.origins
    assert "val_fraction" in s.data.model_fields_set and "flip" not in s.data.model_fields_set
    assert (origins["val_fraction"], origins["flip"]) == (f"checkpoint {path}", f"default: checkpoint {path}")
    assert "grad_accum" in s.loop.model_fields_set
    checkpoint.save(path, checkpoint.load(path) | {"given": ["flip"]})
    assert shell("toy", "--resume").code == 0
    assert resumable.settings.data.model_fields_set == {"flip"}
    assert resumable.settings.data.val_fraction == 0.3


def test_the_file_that_a_former_command_makes_is_taken_where_it_is(shell, toy):
    called = toy(ToySettings)
    ran = shell("toy", "--data-dir", "x")
    told = "--start is required: model to begin with; `rsforge base train` makes base/best_model.pt, which is not there"
    assert ran.code == 2 and told in ran.err
    Path("base").mkdir()
    Path("base/best_model.pt").touch()
    ran = shell("toy", "--data-dir", "x")
    assert ran.err == "using      --start base/best_model.pt (made by rsforge base train)\n"
    assert called.settings.start == Path("base/best_model.pt")
    assert called.console.origins["start"] == "default: made by rsforge base train"
    assert shell("toy", "--data-dir", "x", "--start", "y").err == ""
    Path("w").mkdir()
    assert shell("toy", "--data-dir", "x", "--base-dir", "w").code == 2
    assert "When absent base/best_model.pt, which `rsforge base train` makes." in " ".join(
        shell("toy", "--help").out.replace("│", " ").split()
    )


def test_a_command_may_know_further_inputs_from_those_that_are_given(shell, toy):
    asked = []

    def inputs(given):
        asked.append(dict(given))
        return {"data_dir": "images", "image_size": 64, "val_fraction": 0.3}, f"model {given['start']}"

    called = toy(ToySettings, inputs=inputs)
    Path("a.toml").write_text("val_fraction = 0.4\n")
    ran = shell("toy", "--start", "s.pt", "--image-size", "32", "-c", "a.toml")
    assert ran.code == 0 and asked == [{"start": "s.pt", "image_size": "32", "val_fraction": 0.4}]
    s = called.settings
    assert (s.data.data_dir, s.data.image_size, s.data.val_fraction) == ("images", 32, 0.4)
    assert called.console.origins["data_dir"] == "default: model s.pt"
    assert ran.err == "using      --data-dir images (model s.pt)\n"
