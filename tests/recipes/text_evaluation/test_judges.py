"""What judges images: there or absent with a reason, and what the protocol says of it."""

from __future__ import annotations

import pytest
import torch

from rsforge.data.files.digests import file_digest
from rsforge.errors import RsforgeError
from rsforge.models import resnet18
from rsforge.recipes.text_evaluation.judges import load_judges
from rsforge.settings.text_evaluate import CaptionedDataSettings, TextEvaluateSettings, TextMeasuringSettings
from tests.worlds.consoles import RecordingConsole

CPU = torch.device("cpu")
CLASSES = ["a", "b"] * 2


@pytest.fixture
def load(tmp_path, monkeypatch):
    monkeypatch.setattr(torch.hub, "_hub_dir", str(tmp_path / "hub"))
    monkeypatch.setattr(resnet18, "WIDTHS", (4, 4, 8, 8))

    def judges(classes=CLASSES, **own):
        console = RecordingConsole()
        settings = TextEvaluateSettings(
            pipeline="sd", data=CaptionedDataSettings(data_dir="x"), evaluation=TextMeasuringSettings(**own)
        )
        return load_judges(settings, classes, CPU, console), console

    return judges


def test_what_is_absent_is_named_with_its_reason(load):
    judges, console = load(["a"])
    assert set(judges.absent) == {"fid and kid", "clip_score", "zero_shot_oa"}
    assert judges.protocol == {"fid": None, "clip": None, "zero_shot": None}
    assert judges.inception is judges.scorer is judges.classifier is None
    assert len(console.said) == 3 and console.has_line("--clip-model")


def test_what_is_there_is_in_the_protocol_by_its_digest(load, world, tmp_path):
    path = tmp_path / "resnet18.pth"
    torch.save(resnet18.ResNet18(3).state_dict(), path)
    judges, _ = load(clip_model=world.clip, resnet_weights=path, classifier_epochs=3)
    assert judges.protocol["clip"] == {"score": "100 max(cos, 0)", "weights": judges.scorer.digest}
    assert judges.protocol["zero_shot"]["weights"] == file_digest(path)
    assert (judges.classifier.classes, judges.classifier.epochs) == (2, 3) and judges.classifier.first is not None
    assert load()[0].protocol["zero_shot"]["weights"] == "random"


def test_weights_that_are_named_and_missing_end_the_command(load, tmp_path):
    for option in ("inception_weights", "resnet_weights", "clip_model"):
        with pytest.raises(RsforgeError) as raised:
            load(**{option: tmp_path / "missing"})
        assert raised.value.code == "RSF-C001"
