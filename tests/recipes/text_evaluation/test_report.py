"""The page of an evaluation of a text-to-image model."""

from __future__ import annotations

import torch

from rsforge.recipes.text_evaluation.report import ShownCaption, choose_shown, render_report

RESULT = {
    "images": 2, "side": "val", "data_dir": "a<b", "baselines": {"other_real": "other <real> images"},
    "absent": {"clip_score": "no --clip-model"}, "findings": ["The loss is 1"], "doubts": ["few images"],
    "directions": {"fid": "lower", "zero_shot_oa": "higher", "kid": "lower", "clip_score": "higher"},
    "figures": {
        "model": {"fid": 12.34567, "zero_shot_oa": {"mean": 0.5, "low": 0.25, "high": 0.75},
                  "kid": {"mean": 0.1, "std": 0.02}, "clip_score": None},
        "other_real": {"fid": 1.0, "zero_shot_oa": {"mean": 0.9, "low": None, "high": None}, "kid": {"mean": None}},
    },
    "protocol": {"seed": 3, "fid": {"weights": "abc"}, "clip": None},
}  # fmt: skip


def test_the_page_has_figures_pictures_doubts_and_the_protocol_in_plain_text():
    image = torch.zeros(3, 4, 4)
    page = render_report(RESULT, [ShownCaption("a <b>river</b>", {"true": image, "drawn": image})])
    for words in (
        "12.35", "0.5 [0.25, 0.75]", "0.1 ± 0.02", "fid (lower is better)", "Few images.", "The loss is 1.",
        "Not measured: clip_score: no --clip-model.", "a &lt;b&gt;river&lt;/b&gt;", "a&lt;b", "protocol.fid.weights",
        "other_real is other &lt;real&gt; images.",
    ):  # fmt: skip
        assert words in page, words
    assert page.count("data:image/png;base64,") == 2 and "<script" not in page
    assert page.count("<td>-</td>") == 3
    assert ">true</span>" in page and ">drawn</span>" in page and 'alt="drawn: a &lt;b&gt;river' in page


def test_shown_images_are_evenly_spread():
    assert choose_shown(3) == [0, 1, 2] and choose_shown(24) == list(range(0, 24, 2))
