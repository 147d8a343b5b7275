"""What may be said to ``diffusion evaluate-text``."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from rsforge.settings.text_evaluate import CaptionedDataSettings, TextEvaluateSettings, TextMeasuringSettings


def make(**options) -> TextEvaluateSettings:
    return TextEvaluateSettings(pipeline=Path("sd"), data=CaptionedDataSettings(data_dir="x"), **options)


def test_drawing_is_that_of_the_document():
    settings = make()
    assert (settings.num_inference_steps, settings.guidance_scale, settings.negative_prompt) == (100, 7.5, "")
    assert settings.evaluation.classifier_epochs == 50  # as 5 of ten images a caption


def test_an_evaluation_is_not_compared_with_what_it_replaces(tmp_path):
    own = TextMeasuringSettings(compare=tmp_path / "a" / ".." / "out" / "evaluation.json", output_dir=tmp_path / "out")
    with pytest.raises(ValidationError, match="would replace"):
        make(evaluation=own)
    make(evaluation=own.model_copy(update={"output_dir": tmp_path / "other"}))


def test_draws_are_even():
    with pytest.raises(ValidationError, match="multiple of 2"):
        make(validation_draws=5)
