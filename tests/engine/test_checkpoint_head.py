from __future__ import annotations

import pytest
import torch

from rsforge.engine.checkpoint_head import find_mistyped

SOUND = {
    "format": 1, "kind": "toy", "settings": {"run": {"seed": 1}}, "image_size": 16, "latent_shape": [4, 2, 2],
    "progress": {"step": 3, "shape": [1, 2], "sums": {"loss": float("nan")}}, "nets": {"net": {"w": torch.ones(1)}},
    "parts": {"best": {"figure": float("inf"), "epoch": -1}, "scaler": {}}, "baselines": None,
}  # fmt: skip


def test_what_trainings_write_is_sound():
    assert find_mistyped(SOUND) == ""


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("format", True), ("kind", 3), ("architecture", ["unet"]), ("image_size", 1 << 40), ("image_size", "16"),
        ("latent_shape", [-4]), ("latent_shape", []), ("latent_mean", [0.0]), ("settings", {"run": []}),
        ("settings", {"loop": {"epochs": "3"}}), ("given", "all"), ("progress", "done"), ("progress", {"step": -1}),
        ("progress", {"surprise": 1}), ("progress", {"shape": [1]}), ("nets", {"net": {"w": 1.0}}), ("nets", []),
        ("parts", {"ema": []}), ("parts", {"best": {"figure": 1.0}}), ("radiometry", {"low": float("nan")}),
        ("schedule", {"timesteps": 10**10}), ("partners", {"vae": {"digest": None}}), ("images", {"train": [1]}),
    ],
)  # fmt: skip
def test_an_entry_of_another_type_or_range_is_named(name, value):
    assert repr(name) in find_mistyped(SOUND | {name: value})
