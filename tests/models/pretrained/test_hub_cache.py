"""Downloaded models found by their ids."""

from __future__ import annotations

import pytest

from rsforge.errors import RsforgeError
from rsforge.models.pretrained.hub_cache import cache_folder, find_snapshot, resolve_model

VARIABLES = ("HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "HF_HOME", "XDG_CACHE_HOME")


@pytest.fixture
def cache(tmp_path, monkeypatch):
    for variable in VARIABLES:
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "cache"))
    home = tmp_path / "cache" / "models--some--model"
    (home / "snapshots" / "abc123").mkdir(parents=True)
    (home / "refs").mkdir()
    (home / "refs" / "main").write_text("abc123\n")
    return home


def test_an_id_is_its_snapshot(cache, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    snapshot = cache / "snapshots" / "abc123"
    assert resolve_model("some/model") == find_snapshot("some/model", "abc123") == snapshot
    assert find_snapshot("some/model", "other") is None and find_snapshot("no/model") is None
    (tmp_path / "some" / "model").mkdir(parents=True)
    assert resolve_model("some/model").resolve() == (tmp_path / "some" / "model").resolve()


def test_what_is_no_id_finds_nothing(cache):
    (cache / "refs" / "main").write_text("../../..")
    assert find_snapshot("some/model") is None
    for name in ("../x", "a/b/c", "model", "a/..", "/a/b", ""):
        assert find_snapshot(name) is None
    assert find_snapshot("some/model", "../main") is None
    (cache / "refs" / "main").write_text("")
    assert find_snapshot("some/model") is None


def test_revisions_may_have_slashes_but_do_not_lead_out_of_the_cache(cache, tmp_path):
    for name in ("refs/pr/3", "feature/new+one"):
        reference = cache / "refs" / name
        reference.parent.mkdir(parents=True, exist_ok=True)
        reference.write_text("abc123")
        assert find_snapshot("some/model", name) == cache / "snapshots" / "abc123"
    (cache / "outside").write_text("abc123")
    for name in (
        "../outside",
        "refs/../../outside",
        "/refs/pr/3",
        "refs//pr/3",
        "refs/pr/4",
        str(cache / "outside"),
        "",
    ):
        assert find_snapshot("some/model", name) is None, name


def test_a_model_that_is_not_there_is_named_with_where_was_looked(cache, tmp_path):
    with pytest.raises(RsforgeError, match="was not found") as caught:
        resolve_model("no/model")
    assert (caught.value.code, caught.value.exit) == ("RSF-C001", 4)
    assert "models--no--model" in caught.value.found and str(tmp_path / "cache") in caught.value.found
    with pytest.raises(RsforgeError) as caught:
        resolve_model(tmp_path / "nothing.ckpt")
    assert caught.value.found == "no such file or folder"


def test_the_folder_follows_the_variables(monkeypatch, tmp_path):
    for variable in VARIABLES:
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert cache_folder() == tmp_path / ".cache" / "huggingface" / "hub"
    for variable, end in reversed([*zip(VARIABLES, ("", "", "hub", "huggingface/hub"), strict=True)]):
        monkeypatch.setenv(variable, str(tmp_path / variable))
        assert cache_folder() == tmp_path / variable / end
