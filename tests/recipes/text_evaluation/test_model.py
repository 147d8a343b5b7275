"""The model that is evaluated: from a folder or a checkpoint, and drawn from by seed, caption and number."""

from __future__ import annotations

import shutil
from dataclasses import replace

import pytest
import torch

from rsforge.engine import checkpoint
from rsforge.errors import RsforgeError
from rsforge.recipes.text_evaluation.model import open_evaluated, read_training_beside
from rsforge.settings.text_evaluate import CaptionedDataSettings, TextEvaluateSettings
from tests.worlds.consoles import RecordingConsole

CPU = torch.device("cpu")


def open_one(pipeline, **options):
    data = CaptionedDataSettings(data_dir="x")
    settings = TextEvaluateSettings(pipeline=pipeline, data=data, **{"num_inference_steps": 2, **options})
    return open_evaluated(settings, CPU, RecordingConsole())


def test_a_checkpoint_and_the_folder_beside_it_are_one_model(text_world):
    ours, folder = open_one(text_world.run / "best_model.pt"), open_one(text_world.run)
    assert ours.digest == folder.digest != open_one(text_world.model).digest
    assert ours.state["validation_draws"] == 2 and ours.image_size == 16
    assert all(ours.state[name] == folder.state[name] for name in ("settings", "images", "progress"))
    assert open_one(text_world.model).state == {}
    assert ours.describe_drawing() == {
        "sampler": "ddim", "steps": 2, "eta": 0.0, "guidance_scale": 7.5, "negative_prompt": ""
    }  # fmt: skip


def test_images_depend_on_caption_and_number_alone(world):
    model = open_one(world.model)
    captions = ["a river", "trees", "an airport"]
    together = model.draw(captions, [0, 1, 2])
    torch.testing.assert_close(model.draw(captions, [2]), together[2:], atol=1e-4, rtol=1e-4)
    assert not torch.allclose(model.draw(["a river", "trees", "trees"], [2]), together[2:])
    assert not torch.allclose(model.draw(["a river"] * 2, [1]), model.draw(["a river"], [0]))
    for option in ({"guidance_scale": 1.0}, {"guidance_rescale": 1.0}):
        changed = replace(model, settings=model.settings.model_copy(update=option))
        assert not torch.allclose(changed.draw(captions, [0]), together[:1])
    assert changed.describe_drawing() == model.describe_drawing() | {"guidance_rescale": 1.0}


def test_no_guidance_is_not_rescaled(world):
    with pytest.raises(ValueError, match="--guidance-scale 1 is none"):
        open_one(world.model, guidance_scale=1.0, guidance_rescale=0.5)


def test_sizes_steps_and_kinds_that_do_not_fit_are_refused(world, tmp_path):
    checkpoint.save(tmp_path / "sar.pt", {"kind": "diffusion-sar"})
    for pipeline, options, code, where in (
        (world.model, {"image_size": 17}, "RSF-U005", "--image-size"),
        (world.model, {"num_inference_steps": 5000}, "RSF-U005", "--num-inference-steps"),
        (tmp_path / "sar.pt", {}, "RSF-C004", str(tmp_path / "sar.pt")),
    ):
        with pytest.raises(RsforgeError) as raised:
            open_one(pipeline, **options)
        assert (raised.value.code, raised.value.where) == (code, where)


def test_a_checkpoint_beside_a_folder_that_says_nothing_is_warned_of(world, tmp_path):
    folder, console = shutil.copytree(world.model, tmp_path / "sd"), RecordingConsole()
    (folder / "best_model.pt").write_text("x")
    assert read_training_beside(folder, console) == {}
    checkpoint.save(folder / "best_model.pt", {"kind": "vae", "nets": {}})
    assert read_training_beside(folder, console) == {}
    assert len(console.warned) == 2 and "does not tell which images" in console.warned[0]
