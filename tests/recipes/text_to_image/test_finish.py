"""What a fine-tuning leaves at its end: adapters for all programs, and what is sent to the hub."""

from __future__ import annotations

import json
import shlex
import shutil

import pytest
import torch

from rsforge.cli.main import run
from rsforge.engine import checkpoint
from rsforge.models.adapter import attach_adapter
from rsforge.recipes.pretrained.adapters import merge_adapters
from rsforge.recipes.pretrained.load import load_pretrained
from rsforge.recipes.text_to_image.finish import accompany_checkpoints, read_training
from rsforge.recipes.text_to_image.load import load_model, rebuild_adapter
from rsforge.recipes.text_to_image.output_names import ADAPTER_FILES, FINETUNE, PUSHED_ADAPTER
from rsforge.samplers.noise_source import SeededNoise
from tests.worlds.captioned_folder import LINE, LORA
from tests.worlds.commands import command, rsforge
from tests.worlds.hub_server import serve_hub
from tests.worlds.stable_diffusion import draw_theirs, load_pipeline, quietly

ONE = "--max-train-steps 1 --sample-every 9 --json "
NOISE = SeededNoise(5, [0]).draw(torch.empty(1, 4, 8, 8))
pytestmark = pytest.mark.filterwarnings("ignore:Use 'content=:DeprecationWarning")  # of the library for itself


def draw(model):
    pipeline = model.pipeline()
    return pipeline.draw([0], pipeline.walk("ddim", 2), seed=5, guide=model.guide(["a river"], 2.0))


def draw_trained(text_world, path):
    """The image of the frozen model and the adapters of a checkpoint, as they are trained: one beside the other."""
    model, adapter = load_pretrained(text_world.model), rebuild_adapter(checkpoint.load(path), path)
    attach_adapter(model.unet, adapter)
    return draw(model)


def test_every_file_of_the_adapters_draws_what_the_trained_model_draws(text_world, adapted_run):
    expected = {name: draw_trained(text_world, adapted_run / name) for name in ("best_model.pt", "checkpoint-2.pt")}
    files = {adapted_run / name: "best_model.pt" for name in ADAPTER_FILES}
    files |= {adapted_run / "adapters" / f"checkpoint-2{end}": "checkpoint-2.pt"
              for end in (".safetensors", ".kohya.safetensors")}  # fmt: skip
    plain = draw(load_pretrained(text_world.model))
    for file, trained in files.items():
        model = load_pretrained(text_world.model)
        (record,) = merge_adapters(model, [(file, 1.0)])
        assert record["ranks"] == [2] and record["parts"] == ["unet"]
        assert (draw(model) - expected[trained]).abs().max() < 1e-4 < 1e-2 < (expected[trained] - plain).abs().max()
    assert (expected["best_model.pt"] - expected["checkpoint-2.pt"]).abs().max() > 1e-3
    for name, image in expected.items():
        assert (draw(load_model(adapted_run / name)) - image).abs().max() < 1e-4


@pytest.mark.parametrize("name", ADAPTER_FILES)
def test_the_library_draws_the_same_with_them(text_world, adapted_run, name):
    for package in ("diffusers", "transformers", "peft"):
        pytest.importorskip(package)
    theirs = load_pipeline(text_world.model, "DDIMScheduler")
    quietly(theirs.load_lora_weights)(str(adapted_run), weight_name=name)
    image = draw_theirs(theirs, NOISE, ["a river"], steps=2, guidance_scale=2.0)
    assert (image - draw_trained(text_world, adapted_run / "best_model.pt")).abs().max() < 1e-4


def test_adapters_lie_beside_the_checkpoints_that_are_kept(adapted_run, tmp_path):
    names = {path.name for path in (adapted_run / "adapters").iterdir()}
    ends = (".safetensors", ".kohya.safetensors")
    assert names == {f"checkpoint-{step}{end}" for step in (2, 4, 6) for end in ends}
    again = shutil.copytree(adapted_run, tmp_path / "run")
    (again / "checkpoint-2.pt").unlink()
    kept = (again / "adapters" / "checkpoint-4.safetensors").read_bytes()
    (again / "adapters" / "checkpoint-4.safetensors").unlink()  # as a kill between the two leaves it
    (again / "adapters" / "notes.txt").write_text("mine")
    accompany_checkpoints(again)
    left = {path.name for path in (again / "adapters").iterdir()}
    assert left == {"notes.txt"} | {name for name in names if "checkpoint-2" not in name}
    assert (again / "adapters" / "checkpoint-4.safetensors").read_bytes() == kept


def test_the_command_that_follows_draws_with_the_adapters(text_world, adapted_run, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    run_folder = shutil.copytree(adapted_run, tmp_path / "run")
    line = LORA.replace("--quiet", "--json") + "--resume --allow-pickle"
    assert rsforge(line, text_world.model, text_world.images, run_folder) == 0
    following = json.loads(capsys.readouterr().out)["next"]
    assert "--allow-pickle" in following and "--image-size 16" in following
    assert run([*shlex.split(following)[1:], "--seed", "1", "--num-inference-steps", "2", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["adapters"][0]["layers"] == 32 and told["image_size"] == 16


def test_what_is_told_of_a_training_has_no_paths(text_world, adapted_run):
    state = checkpoint.load(adapted_run / "best_model.pt")
    told = read_training(state)
    assert told["settings"]["lora_rank"] == 2 and told["settings"]["steps"] == 6 and "base_model" not in told
    assert (told["settings"]["image_size"], told["settings"]["seed"]) == (16, 42)
    digest = state["partners"]["pretrained"]["digest"]
    assert told["source"] == {"pretrained_model": text_world.model.name, "pretrained_sha256": digest}
    counts = {name: state["images"][name] for name in ("split", "captions")}
    assert told["data"] == {"folder": "images", "train": 9, "held_out": 1} | counts
    assert str(text_world.model.parent) not in json.dumps(told)
    state["settings"]["model"]["pretrained_model"] = "some/model"
    assert read_training(state)["base_model"] == read_training(state)["source"]["pretrained_model"] == "some/model"
    state["settings"]["data"]["data_dir"] = ".."
    state["settings"]["model"]["pretrained_model"] = state["partners"]["pretrained"]["path"] = "."
    assert "folder" not in read_training(state)["data"]
    assert read_training(state)["source"] == {"pretrained_sha256": digest}


def test_a_training_from_scratch_began_with_no_model(scratch_run):
    told = read_training(checkpoint.load_metadata(scratch_run / "best_model.pt"))
    assert told["source"] == {} and told["data"]["train"] == 9 and "base_model" not in told


@pytest.fixture
def hub(text_world, tmp_path, monkeypatch):
    huggingface_hub = pytest.importorskip("huggingface_hub")
    # Large files by the plain protocol of Git LFS: this server does not speak the hub's own one.
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_DISABLE_XET", True)
    monkeypatch.setattr(huggingface_hub, "get_token", lambda: "hf_token")
    monkeypatch.setenv("HF_TOKEN", "hf_token")
    monkeypatch.setenv("no_proxy", "*")
    monkeypatch.chdir(tmp_path)
    with serve_hub("me/fields", text_world.model) as running:
        monkeypatch.setenv("HF_ENDPOINT", running.url)
        yield running


@pytest.mark.parametrize(("line", "whole"), [(LINE, True), (LORA, False)], ids=["whole", "adapters"])
def test_a_push_that_fails_loses_nothing_and_names_the_command_that_pushes_again(
    hub, text_world, tmp_path, capsys, line, whole
):
    hub.broken.add("/api/models/me/fields/commit/main")
    line = line.replace("--quiet", ONE) + "--push_to_hub me/fields"
    assert rsforge(line, text_world.model, text_world.images, "fields") == 6
    error = json.loads(capsys.readouterr().err.splitlines()[-1])
    assert error["code"] == "RSF-E013" and "fields" in error["kept"] and hub.commits == []
    judged = json.loads((tmp_path / "fields" / "judged.json").read_text())
    product = tmp_path / "fields" / ("model_index.json" if whole else ADAPTER_FILES[0])
    before = product.stat().st_mtime_ns
    hub.broken.clear()
    again = shlex.split(error["fix"].partition("rsforge ")[2])
    assert run([*again, "--json"]) == 0
    pushed = json.loads(capsys.readouterr().out)["pushed"]
    (commit,) = hub.commits
    assert pushed["id"] == "me/fields" and product.stat().st_mtime_ns == before
    assert (set(commit) == set(PUSHED_ADAPTER)) is not whole
    card, told = commit["README.md"].decode(), json.loads(commit["rsforge.json"])
    assert '"learning_rate"' in card and str(tmp_path) not in card + json.dumps(told)
    assert told["metrics"] == judged["judged"] | {"verdict": judged["verdict"]}
    assert f"| loss.model | {judged['judged']['loss']['model']:.6g} |" in card
    assert ("load_lora_weights" in card and '"lora"' in card and "rank 2" in card) is not whole
    assert ("trained_on" in told) is not whole


def test_a_finished_run_is_pushed_when_it_goes_on(hub, text_world, adapted_run, tmp_path, capsys):
    again = shutil.copytree(adapted_run, tmp_path / "fields")
    words = ["diffusion", "finetune", "--resume", str(again / "latest_model.pt"), "--push-to-hub", "--hub-private"]
    assert run([*words, "--quiet"]) == 0
    assert hub.created[0].get("visibility") == "private" or hub.created[0].get("private") is True
    (commit,) = hub.commits
    assert set(commit) == set(PUSHED_ADAPTER)
    # The card of what was sent is not that of what comes after.
    line = LORA.replace("--max-train-steps 6", "--max-train-steps 7") + "--resume"
    assert rsforge(line, text_world.model, text_world.images, again) == 0
    assert (again / ADAPTER_FILES[0]).is_file() and (again / "README.md").read_bytes() != commit["README.md"]
    assert '"steps": 7' in (again / "README.md").read_text()


@pytest.mark.parametrize("whole", [True, False], ids=["whole", "adapters"])
def test_a_card_lies_beside_what_was_trained_though_nobody_sends_it(text_world, adapted_run, whole):
    folder = text_world.run if whole else adapted_run
    card, told = (folder / "README.md").read_text(), json.loads((folder / "rsforge.json").read_text())
    judged = json.loads((folder / "judged.json").read_text())
    assert told["metrics"] == judged["judged"] | {"verdict": judged["verdict"]} and "Not stated.\n" not in card
    assert "in the folder `images`: 9 trained on, 1 that chose the checkpoint" in card
    assert f"- pretrained_model: {text_world.model.name}" in card and "THEY WERE TRAINED ON" not in card
    assert told["source"]["pretrained_sha256"] in card and told["data"]["captions"] in card and '"seed": 42' in card
    assert '"learning_rate"' in card and ('"lora"' in card) is not whole and ("trained_on" in told) is not whole
    assert str(folder.parent) not in card + json.dumps(told)


def test_the_card_of_a_training_that_was_overwritten_is_replaced(text_world, adapted_run, tmp_path):
    again = shutil.copytree(adapted_run, tmp_path / "fields")
    line = LORA.replace("--max-train-steps 6", "--max-train-steps 1") + "--overwrite"
    assert rsforge(line, text_world.model, text_world.images, again) == 0
    assert '"steps": 1' in (again / "README.md").read_text() and (again / "rsforge.json").is_file()


@pytest.mark.parametrize("change", ["replace", "edit", "former"])
def test_a_card_of_a_person_stays(text_world, adapted_run, tmp_path, capsys, change):
    again = shutil.copytree(adapted_run, tmp_path / "fields")
    written = (again / "README.md").read_text()
    card = {
        "replace": "mine", "edit": written.replace("# run", "# Fields of Ohio"), "former": written.partition("<!--")[0],
    }[change]  # fmt: skip
    assert card != written
    (again / "README.md").write_text(card)
    line = LORA.replace("--max-train-steps 6", "--max-train-steps 7") + "--resume"
    assert rsforge(line, text_world.model, text_world.images, again) == 0
    assert "is not as rsforge wrote it and stays" in capsys.readouterr().err
    assert (again / "README.md").read_text() == card
    assert json.loads((again / "rsforge.json").read_text())["settings"]["steps"] == 7
    FINETUNE.clear(again)
    assert {path.name for path in again.rglob("*") if path.is_file()} <= {"README.md", ".lock"}


def test_a_card_of_a_person_is_what_is_pushed(hub, adapted_run, tmp_path, capsys):
    again = shutil.copytree(adapted_run, tmp_path / "fields")
    (again / "README.md").write_text("mine")
    words = ["diffusion", "finetune", "--resume", str(again / "latest_model.pt"), "--push-to-hub", "me/fields"]
    assert run([*words, "--quiet"]) == 0
    assert "is not as rsforge wrote it and stays" in capsys.readouterr().err
    (commit,) = hub.commits
    assert commit["README.md"] == b"mine" == (again / "README.md").read_bytes()


def test_nobody_trains_for_a_push_that_cannot_be(hub, text_world, monkeypatch, capsys):
    import huggingface_hub

    monkeypatch.setattr(huggingface_hub, "get_token", lambda: None)
    assert run(command(LINE + "--push-to-hub", text_world.model, text_world.images, "fields")) == 6
    assert "RSF-E013" in capsys.readouterr().err and hub.asked == []


def test_nobody_trains_for_a_name_that_the_hub_refuses(hub, text_world, capsys):
    assert run(command(LINE + "--push-to-hub", text_world.model, text_world.images, "my run")) == 2
    said = capsys.readouterr().err
    assert "my run" in said and "--push-to-hub OWNER/NAME" in said and hub.asked == []
