"""``sample text``: images of prompts."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from PIL import Image

from rsforge.cli.main import run
from rsforge.models.low_rank import merge_updates
from rsforge.models.pretrained.write_adapter import write_kohya
from rsforge.recipes.pretrained.load import load_pretrained
from tests.worlds.adapters import make_updates
from tests.worlds.pretrained_model import make_model, write_model
from tests.worlds.sampling import break_images
from tests.worlds.stable_diffusion import edit_json


@pytest.fixture
def draw(tmp_path, monkeypatch, capsys):
    """Runs ``sample`` on a model in RemoteDiff; its result or its error, and what was said on the way."""
    monkeypatch.chdir(tmp_path)
    write_model(tmp_path / "RemoteDiff")

    def call(*words, code=0):
        line = ["sample", "--pipeline", "RemoteDiff", "--num-inference-steps", "3", "--seed", "4", *words, "--json"]
        assert run(line) == code
        out, err = capsys.readouterr()
        return json.loads(out) if out else json.loads(err.splitlines()[-1]), err

    return call


def pixels(path):
    return np.asarray(Image.open(path)).astype(int)


def test_the_images_are_those_of_the_model_and_the_record_says_how(draw, tmp_path):
    result, _ = draw(
        "--prompt", "a river, with trees", "--negative-prompt", "an", "--num-images", "2", "--batch-size", "1"
    )
    assert (result["prompts"], result["guidance_scale"], result["sampler"]) == (["a river, with trees"], 7.5, "ddim")
    assert json.loads((tmp_path / "generated_images.json").read_text())["seed"] == 4
    model = load_pretrained("RemoteDiff")
    pipeline = model.pipeline(negative_prompt="an")
    guide = model.guide(["a river, with trees"] * 2, 7.5)
    images = pipeline.draw([0, 1], pipeline.walk("ddim", 3), seed=4, guide=guide)
    expected = ((images + 1) * 127.5).round().permute(0, 2, 3, 1).numpy()
    for number in range(2):
        drawn = pixels(f"generated_images_individual/image_00{number}.png")
        assert drawn.shape == (16, 16, 3) and np.abs(drawn - expected[number]).max() <= 1
    assert pixels("generated_images.png").shape == (20, 38, 3)


def test_strong_guidance_is_rescaled_where_asked_for(draw):
    images = []
    for share in ("0", "0.7"):
        result, _ = draw("--prompt", "a river", "--guidance-scale", "12", "--guidance-rescale", share)
        assert result["guidance_rescale"] == float(share)
        images.append(pixels("generated_images.png"))
    assert not np.array_equal(*images)
    words = ["--guidance-scale", "1", "--guidance-rescale", "0.7"]
    assert "--guidance-scale 1 is none" in draw("--prompt", "a river", *words, code=2)[1]


def test_prompts_of_a_file_are_drawn_in_turn(draw, tmp_path):
    (tmp_path / "prompts.txt").write_text("a river\n\n  trees \n")
    words = ["--image-size", "24", "--guidance-scale", "1"]
    result, _ = draw("--prompts-file", "prompts.txt", *words, "--output", "out/x.png")
    assert result["prompts"] == ["a river", "trees"] and result["image_size"] == 24
    both = [pixels(f"out/x_individual/image_00{k}.png") for k in range(2)]
    draw("--prompt", "a river", *words, "--output", "y.png")
    assert np.abs(both[0] - pixels("y_individual/image_000.png")).max() <= 1
    assert both[0].shape == (24, 24, 3) and not np.array_equal(both[0], both[1])


def test_the_walk_is_that_of_the_model_or_what_is_asked_for(draw, tmp_path):
    edit_json(tmp_path / "RemoteDiff" / "scheduler" / "scheduler_config.json", _class_name="EulerDiscreteScheduler",
              timestep_spacing="trailing")  # fmt: skip
    assert draw("--prompt", "a", "--dry-run")[0]["plan"]["sampler"] == "euler"
    assert draw("--prompt", "a", "--dry-run", "--eta", "0.5")[0]["plan"]["sampler"] == "ddim"
    assert draw("--prompt", "a", "--dry-run", "--sampler", "dpm++")[0]["plan"]["sampler"] == "dpm++"
    assert not (tmp_path / "generated_images.png").exists()


def test_long_prompts_and_corrections_are_said(draw, tmp_path):
    edit_json(tmp_path / "RemoteDiff" / "scheduler" / "scheduler_config.json", steps_offset=0)
    _, said = draw("--prompt", "a " * 30, "--dry-run")
    assert "has 32 tokens; the first 16 are read" in said and "steps_offset 0 is taken as 1" in said


def test_a_mark_of_utf8_is_no_part_of_a_prompt(draw, tmp_path):
    (tmp_path / "marked.txt").write_text("a river\ntrees\n", "utf-8-sig")
    assert draw("--prompts-file", "marked.txt", "--dry-run")[0]["plan"]["prompts"] == ["a river", "trees"]


def test_what_does_not_fit_is_refused_with_its_option(draw, tmp_path):
    (tmp_path / "empty.txt").write_text(" \n")
    (tmp_path / "bytes.txt").write_bytes(b"\xff\xfe")
    cases = [
        (["--prompt", "a", "--image-size", "17"], 2, "RSF-U005", "--image-size"),
        (["--prompt", "a", "--num-inference-steps", "1000"], 2, "RSF-U005", "--num-inference-steps"),
        (["--prompts-file", "empty.txt"], 3, "RSF-D004", "empty.txt"),
        (["--prompts-file", "bytes.txt"], 3, "RSF-D006", "bytes.txt"),
        (["--prompts-file", "none.txt"], 6, "RSF-E008", "none.txt"),
        (["--prompt", "a", "--output", "x.gif"], 2, "RSF-U006", "x.gif"),
        (["--prompt", "a", "--pipeline", "nobody/model"], 4, "RSF-C001", "nobody/model"),
    ]
    for words, code, name, where in cases:
        error, _ = draw(*words, code=code)
        assert error["code"] == name and where in error["where"]
    assert draw("--prompt", "a", "--prompts-file", "empty.txt", code=2)[0]["code"] == "RSF-U005"
    assert draw(code=2)[0]["code"] == "RSF-U005"
    assert draw("--prompt", "a", "--eta", "0.5", "--sampler", "euler", code=2)[0]["code"] == "RSF-U005"


def test_only_models_of_text_are_drawn(draw, tmp_path):
    for name, code, words in (
        ("best_model.pt", "RSF-C003", "text-to-image"),
        ("a.bin", "RSF-C004", "a.bin is no folder"),
    ):
        torch.save({}, tmp_path / name)
        error, _ = draw("--prompt", "a", "--pipeline", name, code=4)
        assert error["code"] == code and words in error["message"]


def test_adapters_change_the_image_and_are_recorded(draw, tmp_path):
    updates = make_updates(make_model().unet, ("to_q", "to_v", "to_out.0"), rank=2, alpha=2.0, size=2.0)
    write_kohya(tmp_path / "a.safetensors", {"unet": updates})
    words = ["--prompt", "a river", "--guidance-scale", "1"]
    plain, _ = draw(*words, "--output", "plain.png")
    result, said = draw(*words, "--lora", "a.safetensors:0.5", "--lora", "a.safetensors:0.25", "--output", "x.png")
    assert plain["adapters"] == [] and [one["weight"] for one in result["adapters"]] == [0.5, 0.25]
    assert json.loads((tmp_path / "x.json").read_text())["adapters"] == result["adapters"]
    assert "a.safetensors, weight 0.5" in said
    model = load_pretrained("RemoteDiff")
    merge_updates(model.unet, updates, 0.75)
    pipeline = model.pipeline()
    images = pipeline.draw([0], pipeline.walk("ddim", 3), seed=4, guide=model.guide(["a river"], 1.0))
    expected = ((images[0] + 1) * 127.5).round().permute(1, 2, 0).numpy()
    drawn = pixels("x_individual/image_000.png")
    assert np.abs(drawn - expected).max() <= 1 and np.abs(drawn - pixels("plain_individual/image_000.png")).max() > 10
    error, _ = draw(*words, "--lora", "none.safetensors", code=4)
    assert error["code"] == "RSF-C001" and error["where"] == "none.safetensors"


def test_images_of_one_colour_are_warned_of_and_those_without_numbers_refused(draw, tmp_path, monkeypatch):
    break_images(monkeypatch, 0.5)
    _, said = draw("--prompt", "a river", "--num-images", "2")
    assert "2 images have one colour everywhere (image_000.png of a river; image_001.png of a river)" in said
    break_images(monkeypatch, torch.nan)
    error, _ = draw("--prompt", "a river", "--output", "other.png", code=5)
    assert error["code"] == "RSF-T004" and not list(tmp_path.glob("other*"))
