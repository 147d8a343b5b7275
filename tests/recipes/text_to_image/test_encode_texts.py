"""Stored vectors of captions."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from rsforge.engine.distributed import SingleProcess
from rsforge.recipes.text_to_image.encode_texts import load_or_encode, number_tokens, warn_of_long
from rsforge.recipes.training.job import Compute
from tests.worlds.consoles import RecordingConsole
from tests.worlds.pretrained_model import make_model

TEXTS = ["a river", "trees", "trees and a river"]
HERE = Compute(torch.device("cpu"), SingleProcess())


def test_the_vectors_are_those_of_the_text_tower_and_made_once(tmp_path):
    model, console = make_model(), RecordingConsole()
    rows = load_or_encode(model, TEXTS, tmp_path, HERE, console)
    assert np.allclose(rows, model.reader(TEXTS).numpy(), atol=1e-6) and rows.shape == (3, 16, 8)
    assert console.meters == [("encoding captions", 3, 3)]
    load_or_encode(model, TEXTS, tmp_path, HERE, console)
    assert len(console.meters) == 1 and len(list(tmp_path.glob("*.npy"))) == 1
    assert number_tokens(model, TEXTS).tolist() == model.tokenizer.encode(TEXTS).tolist()


@pytest.mark.parametrize("other", ["texts", "tower"])
def test_other_texts_and_other_towers_have_files_of_their_own(tmp_path, other):
    model = make_model()
    load_or_encode(model, TEXTS, tmp_path, HERE, RecordingConsole())
    if other == "tower":
        with torch.no_grad():
            model.text_encoder.final_layer_norm.bias += 1
    load_or_encode(model, TEXTS if other == "tower" else TEXTS[::-1], tmp_path, HERE, RecordingConsole())
    assert len(list(tmp_path.glob("*.npy"))) == 2


def test_a_damaged_file_is_said_and_made_again(tmp_path):
    model, console = make_model(), RecordingConsole()
    rows = np.array(load_or_encode(model, TEXTS, tmp_path, HERE, console))
    (path,) = tmp_path.glob("*.npy")
    data = bytearray(path.read_bytes())
    data[200] ^= 1
    path.write_bytes(data)
    assert np.array_equal(load_or_encode(model, TEXTS, tmp_path, HERE, console), rows)
    assert console.has_line("the captions are encoded again")


def test_captions_whose_ends_are_lost_are_counted():
    console = RecordingConsole()
    warn_of_long(make_model(), ["a", "a " * 40], console)
    assert console.warned == ["1 of 2 captions have more than 16 tokens: their ends are not read"]
    warn_of_long(make_model(), ["a"], console)
    assert len(console.warned) == 1
