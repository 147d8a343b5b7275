"""Recall of prompts and images beside baselines."""

from __future__ import annotations

import csv
import json

import pytest
import torch

from rsforge.engine import checkpoint
from rsforge.recipes.clip.evaluate import table
from rsforge.recipes.clip.load import load_text_encoder, load_towers, stored_template
from rsforge.recipes.clip.prompted_images import number_prompts
from rsforge.recipes.datasets.pairs_of_checkpoint import open_subset
from rsforge.recipes.datasets.prompts import write_prompts
from rsforge.settings.pairs import PairDataSettings
from tests.worlds.clip import draw_dataset
from tests.worlds.commands import rsforge
from tests.worlds.consoles import RecordingConsole

LINE = "clip evaluate --checkpoint {} --data-dir {} --device cpu --resamples 100"
CPU = torch.device("cpu")


@pytest.fixture
def measured(clip_run, dataset, capsys):
    def run(more: str = "", *paths: object, model=clip_run / "best_clip.pt") -> dict:
        capsys.readouterr()
        assert rsforge(f"{LINE} {more} --json", model, dataset, *paths) == 0
        return json.loads(capsys.readouterr().out)

    return run


@torch.no_grad()
def similarities(clip_run, dataset) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Of all images with all distinct prompts, in plain steps; the labels, and the images."""
    text, loaded, tokenizer = load_text_encoder(clip_run / "best_clip.pt", CPU)
    image, head = load_towers(clip_run / "best_clip.pt", CPU)
    data = PairDataSettings(data_dir=str(dataset))
    found = open_subset(data, "all", RecordingConsole(), on_bad="error", state=loaded.state)
    distinct, labels = number_prompts(write_prompts(stored_template(loaded.state), found.metadata, RecordingConsole()))
    images = torch.stack([found.samples[0, k][1] for k in range(len(labels))])
    tokens = tokenizer.encode(distinct)
    ends = (tokens == 3).int().argmax(1)
    texts = head.text_projection(text(tokens)[torch.arange(len(distinct)), ends])
    pictures = head.visual_projection(image(images))
    unit = torch.nn.functional.normalize
    return unit(pictures, dim=1) @ unit(texts, dim=1).T, torch.tensor(labels), images


def test_recall_is_what_sorting_by_similarity_gives(measured, clip_run, dataset):
    told = measured("--side all")["figures"]
    scores, labels, _ = similarities(clip_run, dataset)
    order = scores.argsort(dim=1, descending=True)
    for k in (1, 5):
        expected = (order[:, :k] == labels[:, None]).any(1).double().mean()
        assert told["model"][f"prompt_recall_{k}"]["mean"] == pytest.approx(float(expected), abs=1e-6)
        best = scores.T.argsort(dim=1, descending=True)[:, :k]
        found = (labels[best] == torch.arange(scores.shape[1])[:, None]).any(1).double().mean()
        assert told["model"][f"image_recall_{k}"]["mean"] == pytest.approx(float(found), abs=1e-6)


def test_chance_is_one_of_the_distinct_prompts(measured, dataset, clip_run):
    told = measured("--side all")
    prompts = told["prompts"]
    chance = told["figures"]["chance"]
    assert prompts == len(set(similarities(clip_run, dataset)[1].tolist()))
    assert chance["prompt_recall_1"]["mean"] == pytest.approx(1 / prompts, rel=1e-5)
    assert chance["prompt_recall_5"]["mean"] == pytest.approx(5 / prompts, rel=1e-5)
    assert chance["prompt_rank"]["mean"] == pytest.approx((prompts + 1) / 2)
    assert set(told["figures"]) == {"model", "chance", "most_frequent_prompt", "nearest_colour"}


def test_the_nearest_colour_is_that_of_the_training_images(measured, clip_run, dataset):
    told = measured("--side all")["figures"]["nearest_colour"]["prompt_recall_1"]["mean"]
    state = checkpoint.load(clip_run / "best_clip.pt")
    fitted = state["baselines"]
    _, labels, images = similarities(clip_run, dataset)
    _, loaded, _ = load_text_encoder(clip_run / "best_clip.pt", CPU)
    data = PairDataSettings(data_dir=str(dataset))
    found = open_subset(data, "all", RecordingConsole(), on_bad="error", state=loaded.state)
    hits = 0
    for image, one in zip(images, found.metadata, strict=True):
        distances = (fitted["colours"] - image.mean((1, 2))).norm(dim=1)
        distances[fitted["counts"] == 0] = torch.inf
        nearest = fitted["prompts"][int(distances.argmin())]
        hits += nearest == f"Colorise image, Region: {one['region']}, Season: {one['season']}"
    assert told == pytest.approx(hits / len(labels), abs=1e-5)


def test_files_and_lines_are_those_of_every_evaluation(measured, tmp_path):
    told = measured("--side all --output-dir {}", tmp_path / "out")
    assert told == json.loads((tmp_path / "out/evaluation.json").read_text())
    with (tmp_path / "out/per_image.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == told["images"] and {"prompt_recall_1", "prompt_rank"} <= rows[0].keys()
    lines = table(told)
    assert "95 % bootstrap over" in lines and "nearest_colour is the order of the prompts" in lines
    low, high = (told["figures"]["model"]["prompt_recall_1"][name] for name in ("low", "high"))
    assert 0 <= low <= told["figures"]["model"]["prompt_recall_1"]["mean"] <= high <= 1


def test_the_held_out_side_is_measured_by_default(measured, clip_run):
    told = measured()
    assert told["side"] == "val" and told["trained_on"] == 0
    assert told["images"] == checkpoint.load(clip_run / "best_clip.pt")["images"]["held_out"]


def test_words_that_the_training_did_not_have_are_named(clip_run, capsys):
    assert rsforge(LINE.replace("--data-dir {}", "--data-dir synthetic"), clip_run / "best_clip.pt") == 0
    told = capsys.readouterr().err
    assert "the text encoder does not know 1 word of the prompts: unknown" in told


def test_one_prompt_alone_is_nothing_to_find(clip_run, tmp_path, capsys):
    root = draw_dataset(tmp_path / "Dataset", 4)
    assert rsforge(f"{LINE} --side all", clip_run / "best_clip.pt", root) == 3
    assert "RSF-D004" in capsys.readouterr().err
