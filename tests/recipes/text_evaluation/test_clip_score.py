"""The CLIP score: 100 times the cosine, the caption's own tokens, and folders that cannot be used."""

from __future__ import annotations

import json
import shutil

import pytest
import torch

from rsforge.errors import RsforgeError
from rsforge.recipes.text_evaluation.clip_score import clip_figure, open_scorer
from tests.worlds.clip_model import write_clip
from tests.worlds.clip_tokens import vocabulary, write_tables
from tests.worlds.consoles import RecordingConsole

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def scorer(tmp_path_factory):
    return open_scorer(write_clip(tmp_path_factory.mktemp("clip") / "model"), CPU, allow_pickle=False)


def test_the_score_is_100_times_the_cosine_and_not_below_0(scorer):
    images = torch.rand(4, 3, 16, 16, generator=torch.Generator().manual_seed(1)) * 2 - 1
    tokens = scorer.encode(["a river", "trees", "an airport", "a river and trees"])
    own = scorer.model.embed_images(images)
    texts = scorer.model.embed_texts(tokens, scorer.tokenizer.end)
    scores = scorer.score({"image": images}, {"tokens": tokens})
    torch.testing.assert_close(scores, (100 * (own * texts).sum(1)).clamp(min=0))
    assert own.norm(dim=1).sub(1).abs().max() < 1e-5
    swapped = scorer.score({"image": images, "tokens": tokens.flip(0)}, {"tokens": tokens})
    torch.testing.assert_close(swapped, (100 * (own * texts.flip(0)).sum(1)).clamp(min=0))
    opposite = scorer.model.embed_images
    object.__setattr__(scorer.model, "embed_images", lambda x: -opposite(x))
    try:
        assert (scorer.score({"image": images}, {"tokens": tokens}) * scores == 0).all()
    finally:
        object.__delattr__(scorer.model, "embed_images")


def test_without_a_model_nothing_is_measured_and_long_captions_are_told(scorer):
    assert clip_figure(None).of is None and clip_figure(scorer).of == scorer.score
    console = RecordingConsole()
    scorer.warn_of_long(["a river", "river " * 40], console)
    assert console.warned == ["1 of 2 captions have more than 20 tokens: CLIP does not read their ends"]


def test_tokenizers_that_are_missing_damaged_or_of_another_model_are_refused(tmp_path):
    folder = write_clip(tmp_path / "clip")
    write_tables(folder, config={"model_max_length": 77, "tokenizer_class": "CLIPTokenizer"})
    with pytest.raises(RsforgeError, match="not that of the CLIP model") as raised:
        open_scorer(folder, CPU, allow_pickle=False)
    assert raised.value.code == "RSF-C006"
    write_tables(folder, config={"model_max_length": 20, "tokenizer_class": "CLIPTokenizer"})
    words = vocabulary()
    (folder / "vocab.json").write_text(json.dumps({word: (one + 1) % len(words) for word, one in words.items()}))
    with pytest.raises(RsforgeError, match="not that of the text encoder") as raised:
        open_scorer(folder, CPU, allow_pickle=False)
    assert raised.value.code == "RSF-C006"
    (folder / "merges.txt").write_text("one two three\n")
    with pytest.raises(RsforgeError, match="cannot be used") as raised:
        open_scorer(folder, CPU, allow_pickle=False)
    assert raised.value.code == "RSF-C003"
    (folder / "merges.txt").unlink()
    with pytest.raises(RsforgeError, match="no tokenizer") as raised:
        open_scorer(folder, CPU, allow_pickle=False)
    assert raised.value.code == "RSF-C001"
    shutil.rmtree(folder)
