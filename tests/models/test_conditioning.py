"""Inputs of a denoiser: their order, their absence in training, and their way into a checkpoint."""

from __future__ import annotations

import pytest
import torch

from rsforge.errors import RsforgeError
from rsforge.models.conditioning import Conditioning, ConditionInput

EMPTY = torch.randn(3, 4, generator=torch.Generator().manual_seed(0))


def both(text=0.1, sar=0.0):
    return Conditioning(
        (
            ConditionInput("text", "context", text, EMPTY, torch.tensor([True, True, False])),
            ConditionInput("sar", "condition", sar),
        )
    )


def values(count=2):
    return {
        "text": torch.ones(count, 3, 4),
        "text_mask": torch.ones(count, 3, dtype=torch.bool),
        "sar": torch.ones(count, 2, 5, 5),
    }


def test_inputs_of_one_kind_are_joined_in_their_order() -> None:
    names = ("dem", "sar", "text", "notes", "place", "date")
    kinds = ("condition", "condition", "context", "context", "vector", "vector")
    given = {
        "dem": torch.full((2, 1, 4, 4), 1.0), "sar": torch.full((2, 2, 4, 4), 2.0),
        "text": torch.full((2, 3, 5), 3.0), "notes": torch.full((2, 1, 5), 4.0),
        "place": torch.full((2, 2), 5.0), "date": torch.full((2, 1), 6.0),
    }  # fmt: skip
    ordered = Conditioning(tuple(ConditionInput(n, k) for n, k in zip(names, kinds, strict=True)))
    arguments = ordered.as_arguments(given)
    assert arguments["condition"][0, :, 0, 0].tolist() == [1, 2, 2]
    assert arguments["context"][0, :, 0].tolist() == [3, 3, 3, 4]
    assert arguments["vector"][0].tolist() == [5, 5, 6] and set(arguments) == {"condition", "context", "vector"}
    other = Conditioning(tuple(reversed(ordered.inputs))).as_arguments(given)
    assert other["condition"][0, :, 0, 0].tolist() == [2, 2, 1]
    masked = ordered.as_arguments(given | {"text_mask": torch.tensor([[1, 1, 0], [1, 0, 0]])})["context_mask"]
    assert masked.tolist() == [[True, True, False, True], [True, False, False, True]]


def test_a_batch_gives_what_is_asked_for_and_no_more() -> None:
    batch = values() | {"latents": torch.zeros(2)}
    assert both().select(batch).keys() == values().keys()
    with pytest.raises(ValueError, match="lacks sar; it holds text"):
        both().select({"text": batch["text"]})


def test_samples_and_inputs_are_left_out_independently_at_their_rates() -> None:
    torch.manual_seed(0)
    left = both(text=0.3, sar=0.6).drop(values(4000))
    text, sar = (left[name].flatten(1) for name in ("text", "sar"))
    no_text, no_sar = (text == EMPTY.flatten()).all(1), (sar == 0).all(1)
    assert (no_text | (text == 1).all(1)).all() and (no_sar | (sar == 1).all(1)).all()
    assert float(no_text.float().mean()) == pytest.approx(0.3, abs=0.03)
    assert float(no_sar.float().mean()) == pytest.approx(0.6, abs=0.03)
    assert float((no_text & no_sar).float().mean()) == pytest.approx(0.18, abs=0.03)
    assert torch.equal(left["text_mask"][:, 2], ~no_text) and left["text_mask"][:, :2].all()


def test_what_is_never_left_out_draws_nothing_and_stays() -> None:
    before = torch.get_rng_state()
    left = both(text=0.0).drop(values())
    assert torch.equal(before, torch.get_rng_state())
    assert all(torch.equal(left[name], x) for name, x in values().items())
    assert Conditioning().drop({}) == Conditioning().as_arguments({}) == {}


def test_the_same_random_state_leaves_out_the_same_samples() -> None:
    draws = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        draws.append(both(text=0.5).drop(values(64))["text"])
    assert torch.equal(draws[0], draws[1]) and not torch.equal(draws[0], draws[2])


def test_null_inputs_take_the_place_of_those_that_training_left_out_or_that_are_named() -> None:
    absent = both().with_null(values())
    assert torch.equal(absent["text"], EMPTY.expand(2, 3, 4)) and (absent["sar"] == 1).all()
    assert absent["text_mask"].tolist() == [[True, True, False]] * 2
    absent = both().with_null(values(), ["sar"])
    assert (absent["text"] == 1).all() and (absent["sar"] == 0).all()
    with pytest.raises(ValueError, match="no input depth"):
        both().with_null(values(), ["depth"])


def test_guidance_needs_an_input_that_training_left_out() -> None:
    both().check_guidance(7.5)
    both(text=0.0).check_guidance(1.0)
    for refused, names in (
        (both(text=0.0), None),
        (both(), ["sar"]),
        (both(), ["text", "sar"]),
        (Conditioning(), None),
    ):
        with pytest.raises(RsforgeError) as caught:
            refused.check_guidance(7.5, names)
        assert caught.value.code == "RSF-U005" and "--guidance-scale" in caught.value.where
    assert "sar" in str(caught.value.found) or "no input" in caught.value.found


def test_a_checkpoint_gives_it_back(tmp_path) -> None:
    torch.save({"conditioning": both().as_dict()}, tmp_path / "a.pt")
    back = Conditioning.from_dict(torch.load(tmp_path / "a.pt", weights_only=True)["conditioning"])
    assert [(i.name, i.kind, i.dropout) for i in back.inputs] == [("text", "context", 0.1), ("sar", "condition", 0.0)]
    assert torch.equal(back.inputs[0].null, EMPTY) and back.inputs[0].null_mask.tolist() == [True, True, False]
    assert back.with_null(values()).keys() == values().keys()
    assert Conditioning.from_dict({}) == Conditioning()


@pytest.mark.parametrize(
    ("change", "found"), [({"kind": "taste"}, "taste"), ({"dropout": 1.5}, "0 to 1"), ({"weight": 2}, "weight")]
)
def test_a_section_that_is_not_understood_is_refused(change, found) -> None:
    with pytest.raises(RsforgeError) as caught:
        Conditioning.from_dict({"inputs": [{"name": "text", "kind": "context"} | change]})
    assert caught.value.code == "RSF-C007" and found in caught.value.found
