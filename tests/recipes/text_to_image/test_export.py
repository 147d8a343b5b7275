"""``diffusion export``: what it takes, what it says of a model, and what it refuses."""

from __future__ import annotations

import json
import shlex
import shutil
from pathlib import Path

import pytest
import torch

from rsforge.cli.main import run
from rsforge.engine import checkpoint
from rsforge.models.low_rank import merge_updates
from rsforge.models.pretrained.write_adapter import write_peft
from rsforge.recipes.pretrained.adapters import merge_adapters
from rsforge.recipes.pretrained.export_model import EXPORTED
from rsforge.recipes.pretrained.load import load_pretrained
from rsforge.recipes.text_to_image.export import REFUSED, read_metrics
from rsforge.recipes.text_to_image.finish import read_training
from tests.worlds.adapters import make_updates
from tests.worlds.pretrained_model import make_model, write_model


@pytest.fixture
def export(tmp_path, monkeypatch, capsys):
    """Runs ``diffusion export`` beside a model in RemoteDiff; its result or its error."""
    monkeypatch.chdir(tmp_path)
    write_model(tmp_path / "RemoteDiff")

    def call(*words, code=0):
        assert run(["diffusion", "export", *words, "--json"]) == code
        out, err = capsys.readouterr()
        return json.loads(out) if out else json.loads(err.splitlines()[-1])

    return call


def test_adapters_are_merged_and_told_of(export, tmp_path):
    updates = make_updates(make_model().unet, ("to_q",), rank=2, alpha=2.0)
    write_peft(tmp_path / "a.safetensors", {"unet": updates})
    (tmp_path / "figures.json").write_text('{"fid": 12.5}')
    words = shlex.split(f"--pipeline {tmp_path}/RemoteDiff --lora {tmp_path}/a.safetensors:0.5 --license mit "
                        "--metrics figures.json --data-license CC0 "
                        "--dataset RSICD --dataset own --base-model some/base")  # fmt: skip
    plan = export(*words, "--dry-run")["plan"]
    assert plan["files"] == EXPORTED and not (tmp_path / "exported_pipeline").exists()
    result = export(*words)
    assert result["output_dir"] == "exported_pipeline" and result["adapters"][0]["weight"] == 0.5
    expected = load_pretrained("RemoteDiff").unet
    merge_updates(expected, updates, 0.5)
    torch.testing.assert_close(
        dict(load_pretrained("exported_pipeline").unet.state_dict()), dict(expected.state_dict())
    )
    told = json.loads((tmp_path / "exported_pipeline/rsforge.json").read_text())
    assert (told["metrics"], told["license"], told["data_license"]) == ({"fid": 12.5}, "mit", "CC0")
    assert (told["datasets"], told["base_model"], told["source"]) == (
        ["RSICD", "own"], "some/base", {"pipeline": "RemoteDiff"},
    )  # fmt: skip
    card = (tmp_path / "exported_pipeline/README.md").read_text()
    assert str(tmp_path) not in card + json.dumps(told) and "adapter: a.safetensors, weight 0.5" in card
    assert "# exported_pipeline" in card and "| fid | 12.5 |" in card


def test_what_an_earlier_export_says_is_handed_on(export, tmp_path):
    export("--pipeline", "RemoteDiff", "--license", "mit", "--dataset", "RSICD", "--output-dir", "one")
    export("--pipeline", "one", "--data-license", "CC0", "--title", "Two", "--output-dir", "two")
    told = json.loads((tmp_path / "two/rsforge.json").read_text())
    assert (told["license"], told["data_license"], told["datasets"]) == ("mit", "CC0", ["RSICD"])
    assert told["source"]["provenance"]["source"] == {"pipeline": "RemoteDiff"}
    assert "# Two" in (tmp_path / "two/README.md").read_text()
    (tmp_path / "one/rsforge.json").write_text('{"license": 3, "datasets": "x", "settings": []}')
    export("--pipeline", "one", "--output-dir", "three")
    told = json.loads((tmp_path / "three/rsforge.json").read_text())
    assert told["license"] is None and told["datasets"] == [] and told["settings"] == {}


def test_a_model_of_the_cache_is_its_own_base(export, tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "cache"))
    home = tmp_path / "cache" / "models--some--model"
    (home / "refs").mkdir(parents=True)
    (home / "refs" / "main").write_text("c0ffee")
    shutil.move("RemoteDiff", home / "snapshots" / "c0ffee")
    export("--pipeline", "some/model")
    assert 'base_model: "some/model"' in (tmp_path / "exported_pipeline/README.md").read_text()


@pytest.mark.parametrize("kind", [*REFUSED, "clip"])
def test_checkpoints_that_the_target_cannot_express_are_refused(export, tmp_path, kind):
    checkpoint.save(tmp_path / "model.pt", {"kind": kind, "nets": {}})
    error = export("--checkpoint", "model.pt", code=4)
    reason, fix = REFUSED.get(kind, ("it is no model that draws images from texts", "name one with --pipeline"))
    assert error["code"] == "RSF-C004" and reason in error["message"] and error["fix"] == fix
    assert not (tmp_path / "exported_pipeline").exists()


def test_a_checkpoint_of_a_fine_tuning_is_the_model_that_its_run_wrote(export, text_world, scratch_run, tmp_path):
    for number, run_folder in enumerate((text_world.run, scratch_run)):
        result = export("--checkpoint", str(run_folder / "best_model.pt"), "--output-dir", f"out{number}")
        made, written = load_pretrained(result["output_dir"]), load_pretrained(run_folder)
        for part in ("unet", "autoencoder", "text_encoder"):
            torch.testing.assert_close(
                dict(getattr(made, part).state_dict()), dict(getattr(written, part).state_dict()), rtol=0, atol=0
            )
        told = (tmp_path / f"out{number}/rsforge.json").read_text()
        begun = read_training(checkpoint.load_metadata(run_folder / "best_model.pt"))
        assert json.loads(told)["source"] == {"checkpoint": "best_model.pt"} | begun["source"]
        assert json.loads(told)["data"] == begun["data"] and begun["data"]["train"] == 9
        settings = json.loads(told)["settings"]
        assert settings["learning_rate"] > 0 and not [name for name in settings if name.endswith("_dir")]
        assert str(run_folder.parent) not in told


def test_a_checkpoint_of_adapters_is_the_model_with_them_merged(export, text_world, adapted_run):
    result = export("--checkpoint", str(adapted_run / "best_model.pt"), "--output-dir", "out")
    made, expected = load_pretrained(result["output_dir"]), load_pretrained(text_world.model)
    merge_adapters(expected, [(adapted_run, 1.0)])
    torch.testing.assert_close(dict(made.unet.state_dict()), dict(expected.unet.state_dict()))
    card = (Path("out") / "README.md").read_text()
    assert made.image_size == 16 and '"lora_rank": 2' in card
    source = json.loads(Path("out/rsforge.json").read_text())["source"]
    assert (
        source["pretrained_model"] == text_world.model.name
        and f"- pretrained_sha256: {source['pretrained_sha256']}" in card
    )
    assert "- merged: low-rank adapters (LoRA) of rank 2" in card
    export("--pipeline", "out", "--output-dir", "again")  # hands on what is known of the data
    assert "in the folder `images`: 9 trained on" in Path("again/README.md").read_text()


def test_of_an_evaluation_figures_and_protocol_are_taken_and_no_paths(tmp_path):
    path = tmp_path / "evaluation.json"
    path.write_text(json.dumps({"figures": {"model": {"fid": 12.5}}, "protocol": {"seed": 3}, "data_dir": "/home/x"}))
    assert read_metrics(path) == {"figures": {"model": {"fid": 12.5}}, "protocol": {"seed": 3}}
    path.write_text('{"fid": 12.5, "data_dir": "x"}')
    assert read_metrics(path) == {"fid": 12.5, "data_dir": "x"}


def test_what_does_not_fit_is_refused(export, tmp_path):
    (tmp_path / "list.json").write_text("[1]")
    (tmp_path / "text.json").write_text("fid")
    for words, code, name, where in (
        (["--pipeline", "RemoteDiff", "--checkpoint", "x"], 2, "RSF-U005", ""),
        ([], 2, "RSF-U005", ""),
        (["--pipeline", "RemoteDiff", "--metrics", "none.json"], 6, "RSF-E008", "none.json"),
        (["--pipeline", "RemoteDiff", "--metrics", "list.json"], 3, "RSF-D006", "list.json"),
        (["--pipeline", "RemoteDiff", "--metrics", "text.json"], 3, "RSF-D006", "text.json"),
        (["--pipeline", "nowhere/model"], 4, "RSF-C001", "nowhere/model"),
        (["--checkpoint", "none.pt"], 4, "RSF-C001", "none.pt"),
        (["--pipeline", "RemoteDiff", "--output-dir", "RemoteDiff"], 2, "RSF-U004", "--output-dir"),
    ):
        error = export(*words, code=code)
        assert error["code"] == name and where in error["where"]
