"""How adapters and their weights are written."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from rsforge.settings.pretrained import PretrainedModelSettings, split_weight
from rsforge.settings.sections import anchor


@pytest.mark.parametrize(
    ("text", "path", "weight"),
    [
        ("a/b.safetensors", "a/b.safetensors", 1.0),
        ("a.safetensors:0.8", "a.safetensors", 0.8),
        ("a.safetensors:1e-2", "a.safetensors", 0.01),
        ("a:-1", "a", -1.0),
        ("a:.5", "a", 0.5),
        ("a:1:2.", "a:1", 2.0),
        ("a:fast", "a:fast", 1.0),
        (":0.5", ":0.5", 1.0),
    ],
)
def test_a_number_behind_the_last_colon_is_the_weight(text, path, weight):
    assert split_weight(text) == (Path(path), weight)


def test_paths_are_joined_to_the_base_folder_with_their_weights():
    settings = anchor(PretrainedModelSettings(lora=("a:0.5", "/b"), base_dir="base"))
    assert settings.adapters == [(Path("base/a"), 0.5), (Path("/b"), 1.0)]


def test_weights_have_bounds():
    with pytest.raises(ValidationError, match="the weight of a:101 must be from -100 to 100"):
        PretrainedModelSettings(lora=("a:101",))


@pytest.mark.parametrize("name", ["main", "refs/pr/3", "v1.0-rc.2", "feature/a_b", "user@x/y=z+1", "0a1b2c"])
def test_revisions_are_what_git_and_the_hub_call_branches_tags_and_requests(name):
    assert PretrainedModelSettings(revision=name).revision == name


UNSAFE = ["/main", "main/", "a//b", "../main", "a/../b", "a..b", ".a", "a/.b", "a.", "-a"]


@pytest.mark.parametrize("name", ["", *UNSAFE, "a b", "a\nb", "main\n", "a\\b", "a:b", "a" * 201])
def test_revisions_that_git_refuses_or_that_are_no_safe_paths_are_refused(name):
    with pytest.raises(ValidationError, match="revision"):
        PretrainedModelSettings(revision=name)
