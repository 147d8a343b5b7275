"""The zero-shot overall accuracy: learnt from drawn images, measured on true ones, and why it is absent."""

from __future__ import annotations

import pytest
import torch

from rsforge.recipes.evaluation.summary import Bootstrap
from rsforge.recipes.text_evaluation import class_accuracy
from rsforge.recipes.text_evaluation.class_accuracy import AbsentAccuracy, ClassAccuracy, number_classes, why_no_classes
from rsforge.recipes.text_evaluation.scene_classifier import ClassifierPlan
from tests.worlds.consoles import RecordingConsole

CPU = torch.device("cpu")


class ByBrightness:
    """In the place of a classifier: it remembers which class of its images was the brighter one."""

    def __init__(self, images, labels):
        bright = [images[labels == k].float().mean() for k in (0, 1)]
        self.brighter = int(bright[1] > bright[0])


def make_batch(levels, labels):
    return {"true": torch.stack([torch.full((3, 4, 4), v) for v in levels]), "class": torch.tensor(labels)}


@pytest.fixture
def accuracy(monkeypatch):
    monkeypatch.setattr(
        class_accuracy, "train_classifier", lambda images, labels, plan, device: ByBrightness(images, labels)
    )
    monkeypatch.setattr(
        class_accuracy, "classify",
        lambda network, images, device: (images.float().mean((1, 2, 3)) > 127).long() ^ (1 - network.brighter),
    )  # fmt: skip
    bootstrap = Bootstrap(100, 0.95, 0)
    console = RecordingConsole()
    return ClassAccuracy(ClassifierPlan(2, 1, 0), "true", range(4), bootstrap, console, reference="bad")


def test_classifiers_learn_from_predictions_and_are_measured_on_true_images(accuracy):
    batch = make_batch([-0.9, 0.9, -0.8, 0.8], [0, 1, 0, 0])
    good, bad = batch["true"], -batch["true"]
    own = {"image": bad, "class": torch.tensor([1, 0, 1, 1])}  # wrong in colour and in class: right again
    accuracy.update({"model": {"image": good}, "bad": {"image": bad}, "own": own}, batch)
    result = {"figures": {"model": {}, "bad": {}, "own": {}}}
    (warning,) = accuracy.add_to(result, {})
    assert "saw bad names 0.25" in warning and "the 0.75 of the most frequent class" in warning
    rows = {name: row["zero_shot_oa"] for name, row in result["figures"].items()}
    assert [rows[name]["mean"] for name in ("model", "bad", "own")] == [0.75, 0.25, 0.75]
    assert rows["model"]["low"] <= 0.75 <= rows["model"]["high"] and result["most_frequent_class"] == 0.75


def test_a_reference_that_teaches_or_is_absent_leaves_no_doubt(accuracy):
    batch = make_batch([-0.9, 0.9, -0.8, 0.8], [0, 1, 0, 1])
    for reference in ("bad", "absent"):
        accuracy.reference = reference
        accuracy.update({"bad": {"image": batch["true"]}}, batch)
        assert accuracy.add_to({"figures": {"bad": {}}}, {}) == []


def test_where_it_is_not_measured_the_figure_is_null():
    result = {"figures": {"model": {}}}
    absent = AbsentAccuracy()
    absent.update({}, {})
    assert absent.add_to(result, {}) == [] and result["figures"]["model"] == {"zero_shot_oa": None}
    assert absent.figures == ClassAccuracy.figures


def test_classes_are_numbered_by_those_that_are_measured():
    names, own, others = number_classes(["b", "a", "b"], ["c", "a"])
    assert names == ["a", "b"] and own.tolist() == [1, 0, 1] and others.tolist() == [-1, 0]


@pytest.mark.parametrize(
    ("classes", "epochs", "words"),
    [
        (["a", "b"] * 3, 5, ""),
        (["a", "b"] * 3, 0, "--classifier-epochs is 0"),
        (["a", "b", ""], 5, "1 image has no class"),
        (["a"] * 4, 5, "of one class"),
        (["a", "b", "c"], 5, "3 classes"),
    ],
)
def test_why_there_is_no_accuracy(classes, epochs, words):
    reason = why_no_classes(classes, epochs)
    assert words in reason and bool(reason) == bool(words)
