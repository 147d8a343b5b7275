"""CLIP's tokenizer against that of transformers."""

from __future__ import annotations

import warnings

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from rsforge.data.clip_tokenizer import ClipTokenizer, Specials
from rsforge.data.clip_tokenizer_files import read_clip_tokenizer
from tests.worlds.clip_tokens import AWKWARD, PAIRS, vocabulary, write_tables


def _flagged(text):
    flags = {"lstrip": False, "normalized": True, "rstrip": False, "single_word": False}
    return {"content": text, **flags, "__type": "AddedToken"}


START, END = "<|startoftext|>", "<|endoftext|>"
FIRST = {"model_max_length": 77, "pad_token": END, "bos_token": _flagged(START), "eos_token": _flagged(END),
         "unk_token": _flagged(END)}  # fmt: skip
FOLDERS = {
    "tables alone": (None, None),
    "SD 1": (FIRST, {"pad_token": END, "bos_token": _flagged(START), "eos_token": _flagged(END)}),
    "SD 2": (FIRST, {"pad_token": "!"}),
    "pad in the configuration": ({"model_max_length": 77, "pad_token": "!"}, None),
    "the map counts": ({"model_max_length": 77, "pad_token": "!"}, {"pad_token": END}),
    "the decoder counts": (
        {
            "model_max_length": 77,
            "pad_token": "!",
            "added_tokens_decoder": {"0": {"content": "!", "lstrip": True, "normalized": False, "special": True}},
        },
        {"pad_token": END},
    ),
}


def _both(folder, name):
    transformers = pytest.importorskip("transformers")
    config, specials = FOLDERS[name]
    write_tables(folder, config=config, specials=specials)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return read_clip_tokenizer(folder), transformers.CLIPTokenizer.from_pretrained(folder)


def _theirs(tokenizer, texts):
    return tokenizer(texts, padding="max_length", max_length=77, truncation=True, return_tensors="pt").input_ids


@pytest.mark.parametrize("name", FOLDERS)
def test_ids_are_those_of_transformers(tmp_path, name):
    ours, theirs = _both(tmp_path, name)
    assert torch.equal(ours.encode(AWKWARD), _theirs(theirs, AWKWARD))
    assert (ours.pad, ours.start, ours.end) == (theirs.pad_token_id, theirs.bos_token_id, theirs.eos_token_id)
    assert ours.count_tokens(AWKWARD) == [len(theirs(text)["input_ids"]) for text in AWKWARD]


@pytest.fixture(scope="module")
def second(tmp_path_factory):
    return _both(tmp_path_factory.mktemp("second"), "SD 2")


@settings(max_examples=100, deadline=None)
@given(st.text(alphabet=st.sampled_from("rae bt!<|>'s9é☃\n") | st.characters(codec="utf-8"), max_size=30))
def test_ids_of_any_text_are_those_of_transformers(second, text):
    assert torch.equal(second[0].encode([text]), _theirs(second[1], [text]))


def test_what_is_saved_is_read_by_both(tmp_path):
    ours, _ = _both(tmp_path / "first", "SD 2")
    (tmp_path / "saved").mkdir()
    ours.save(tmp_path / "saved")
    again = read_clip_tokenizer(tmp_path / "saved")
    assert torch.equal(again.encode(AWKWARD), ours.encode(AWKWARD)) and len(again) == len(ours)
    import transformers

    theirs = transformers.CLIPTokenizer.from_pretrained(tmp_path / "saved")
    assert torch.equal(_theirs(theirs, AWKWARD), ours.encode(AWKWARD)) and theirs.model_max_length == 77


def test_a_long_text_keeps_its_end_and_a_short_one_is_padded():
    tokenizer = ClipTokenizer(vocabulary(), [tuple(pair.split()) for pair in PAIRS], Specials(pad="!", max_length=5))
    ids = tokenizer.encode(["", "tree tree tree tree tree"])
    assert ids.tolist()[0] == [tokenizer.start, tokenizer.end, 0, 0, 0]
    assert ids.shape == (2, 5) and ids[1, -1] == tokenizer.end and tokenizer.end not in ids[1, 1:-1]
    assert tokenizer.encode([]).shape == (0, 5)


def test_special_tokens_that_are_missing_are_refused():
    with pytest.raises(ValueError, match="no token <none>"):
        ClipTokenizer(vocabulary(), [], Specials(pad="<none>"))
    with pytest.raises(ValueError, match="max_length is 2"):
        ClipTokenizer(vocabulary(), [], Specials(max_length=2))
