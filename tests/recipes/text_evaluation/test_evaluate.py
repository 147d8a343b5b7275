"""``diffusion evaluate`` of text-to-image models, from a folder or a checkpoint to figures, report and comparison."""

from __future__ import annotations

import json

import pytest
import torch

from rsforge.data.images.tile_dataset import TileDataset, scan
from rsforge.data.io.image_reader import read_rgb
from rsforge.data.io.image_writer import to_uint8
from rsforge.data.splits.split_file import load_split
from rsforge.engine.journal import read
from rsforge.metrics.inception import FeatureSet, frechet_distance
from rsforge.recipes.evaluation import learned_metrics
from rsforge.recipes.evaluation.table import table
from rsforge.recipes.text_evaluation.evaluate import collect, compare_colours
from tests.worlds.evaluation import Crumbs

PREDICTORS = ["model", "other_real", "other_captions", "latent_gaussian", "caption_gaussian"]


@pytest.fixture
def crumbs(monkeypatch, tmp_path):
    """A file that is read as the weights of Inception, which then is ``Crumbs``."""
    monkeypatch.setattr(learned_metrics, "inception", lambda weights: Crumbs())
    path = tmp_path / "inception.pth"
    torch.save({"w": torch.zeros(1)}, path)
    return path


def test_every_figure_stands_beside_real_images_and_baselines_and_in_the_files(measured, world, crumbs, tmp_path):
    out = tmp_path / "out"
    told, said = measured(
        "--clip-model {} --inception-weights {} --classifier-epochs 1 --compare-published rsicd --output-dir {}",
        world.clip,
        crumbs,
        out,
    )
    assert (told["side"], told["images"], told["classes"]) == ("test", 5, 2) and list(told["figures"]) == PREDICTORS
    for figures in told["figures"].values():
        assert 0 <= figures["clip_score"]["low"] <= figures["clip_score"]["mean"] <= 100
        assert 0 <= figures["zero_shot_oa"]["mean"] <= 1 and figures["fid"] > 0 and "std" in figures["kid"]
    assert told["gain"]["clip_score"]["over"] in PREDICTORS[2:]  # real images are no baseline
    loss = told["validation_loss"]
    assert all(loss[name] > 0 for name in ("loss", "linear", "gaussian", "caption_gaussian", "loss_se"))
    assert loss["measured_by"]["draws"] == 4
    assert "5 images is biased upwards" in told["fid_warning"] and "biased upwards" in said
    assert json.loads((out / "evaluation.json").read_text()) == told
    page = (out / "report.html").read_text()
    assert page.count("<figure>") == 5 and page.count(">caption_gaussian</span>") == 5
    assert "zero_shot_oa" in page and "protocol.clip.weights" in page
    assert "images 5 here, 1093 there" in told["published"]["protocol"]
    assert "Published figures rsicd" in page and "trained on RSICD&#x27;s classes there" in page
    rows = (out / "per_image.csv").read_text().splitlines()
    assert rows[0] == "name,scene,clip_score,colour_l1" and len(rows) == 6 and (out / "examples.png").is_file()
    assert any("began with random weights" in doubt for doubt in told["doubts"])
    text = table(told)
    for words in ("The validation loss is", "linear in the words of captions", "caption_gaussian is the auto",
                  "other_real is other real images", "guidance_scale  2"):  # fmt: skip
        assert words in text


def test_the_protocol_says_how_it_was_measured(measured, world, crumbs):
    told, _ = measured(
        "--inception-weights {} --clip-model {} --max-images 4 --classifier-epochs 1", crumbs, world.clip
    )
    protocol = told["protocol"]
    assert (protocol["images"], told["left_out"], protocol["image_size"], protocol["seed"]) == (4, 1, 16, 3)
    assert (protocol["sampler"], protocol["steps"], protocol["guidance_scale"]) == ("ddim", 2, 2.0)
    assert len(protocol["fid"]["weights"]) == len(protocol["clip"]["weights"]) == 64 and "crop" in protocol
    assert protocol["zero_shot"]["network"] == "ResNet-18" and protocol["zero_shot"]["weights"] == "random"


def test_fid_is_that_of_the_images_that_were_drawn(measured, world, crumbs, tmp_path):
    told, _ = measured("--inception-weights {} --classifier-epochs 0 --output-dir {}", crumbs, tmp_path / "out")
    subsets = load_split(world.images / "split.json").subsets
    true = TileDataset(
        [t for t in scan(world.images).tiles if t.name in subsets["test"]], image_size=16, seed=0, flip=0
    )
    drawn = [torch.tensor(read_rgb(path)) for path in sorted((tmp_path / "out" / "drawn").glob("*.png"))]
    sets = FeatureSet(), FeatureSet()
    for features, pixels in zip(
        sets, (to_uint8(torch.stack([true[0, k] for k in range(5)])), torch.stack(drawn)), strict=True
    ):
        features.update(Crumbs()(torch.as_tensor(pixels).permute(0, 3, 1, 2)))
    assert told["figures"]["model"]["fid"] == pytest.approx(frechet_distance(*sets), rel=1e-3)
    assert told["figures"]["other_captions"]["fid"] == pytest.approx(told["figures"]["model"]["fid"], rel=1e-3)


def test_a_checkpoint_is_measured_on_what_its_training_held_out(measured, text_world):
    told, said = measured("", model=text_world.run / "best_model.pt", images=text_world.images)
    assert (told["side"], told["images"], told["trained_on"], told["chosen_on"]) == ("val", 1, 0, "val")
    assert "held out of the training" in said and any("chosen on these images" in one for one in told["doubts"])
    best = min(row["val/loss"] for row in read(text_world.run / "journal.jsonl") if "val/loss" in row)
    assert told["validation_loss"]["loss"] == pytest.approx(best, rel=1e-4)
    assert set(told["absent"]) == {"fid and kid", "clip_score", "zero_shot_oa", "other_captions"}
    assert told["figures"]["model"]["clip_score"] is None and "other_real" in told["figures"]


def test_models_measured_alike_are_compared_and_others_refused(measured, world, tmp_path):
    options = "--classifier-epochs 0 --clip-model {} "
    first, _ = measured(options + "--output-dir {}", world.clip, tmp_path / "a")
    earlier = tmp_path / "a" / "evaluation.json"
    told, _ = measured(options + "--compare {}", world.clip, earlier)
    row = told["compared"]["figures"]["clip_score"]
    assert row["difference"] == 0 and row["here"] == first["figures"]["model"]["clip_score"]["mean"]
    assert told["compared"]["figures"]["validation_loss"]["difference"] == 0
    assert row["apart"] is False and "the intervals overlap" in table(told)
    _, said = measured("--classifier-epochs 0 --guidance-scale 3 --compare {}", earlier, code=2)
    for words in ("RSF-U005", "guidance_scale 3.0 here, 2.0 there", "clip absent here"):
        assert words in said
    _, said = measured("--compare {}", world.images / "metadata.jsonl", code=3)
    assert "RSF-D006" in said


def test_a_dry_run_writes_nothing_and_draws_nothing(measured, world, tmp_path):
    told, _ = measured("--dry-run --clip-model {} --output-dir {}", world.clip, tmp_path / "out")
    plan = told["plan"]
    assert plan["images"] == 5 and plan["protocol"]["steps"] == 2 and not (tmp_path / "out").exists()


def test_batches_hold_numbers_and_stacked_tensors():
    items = [{"index": k, "text": f"{k}", "true": torch.full((3, 2, 2), float(k > 3))} for k in (3, 5)]
    batch = collect(items)
    assert batch["index"] == [3, 5] and batch["text"] == ["3", "5"] and batch["true"].shape == (2, 3, 2, 2)
    prediction = {"image": torch.zeros(2, 3, 2, 2)}
    assert compare_colours(prediction, batch).tolist() == [0.0, 1.0]


def test_of_the_folder_of_a_fine_tuning_the_images_are_measured_that_it_held_out(measured, text_world):
    told, said = measured("--classifier-epochs 0", model=text_world.run, images=text_world.images)
    assert (told["side"], told["images"], told["trained_on"]) == ("val", 1, 0) and told["chosen_on"] == "val"
    assert "best_model.pt tells" in said and "whether these were trained on is unknown" not in said
