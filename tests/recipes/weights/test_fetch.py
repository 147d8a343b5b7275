"""``rsforge weights fetch``: once, to where weights are looked for, and never over a file that is not the published."""

from __future__ import annotations

import json

import pytest

from rsforge.models import published_weights
from rsforge.recipes.weights import fetch as recipe
from tests.worlds.commands import rsforge
from tests.worlds.web_server import CONTENT, publish


@pytest.fixture
def fetch(server, cache, monkeypatch, capsys):
    monkeypatch.setattr(recipe, "PUBLISHED", publish())

    def call(more: str = "", name: str = "whole") -> tuple[int, dict, str]:
        code = rsforge(f"weights fetch vgg16 --source {server.url}/{name} --json {more}")
        told = capsys.readouterr()
        return code, json.loads(told.out or "{}"), told.err

    return call


def test_weights_are_downloaded_once_and_found(fetch, server, cache):
    code, told, err = fetch()
    assert code == 0 and told["fetched"] is True and told["path"] == str(cache / "vgg16-397923af.pth")
    assert "ImageNet" in err and "MiB" in err
    assert published_weights.VGG16.find().read_bytes() == CONTENT
    code, told, err = fetch()
    assert code == 0 and told["fetched"] is False and server.asked == ["whole"]


def test_a_plan_names_source_size_and_licence_and_asks_nobody(fetch, server, cache):
    code, told, _ = fetch("--dry-run")
    assert code == 0 and told["plan"].keys() == {"path", "source", "mib", "sha256", "licence", "fetched"}
    assert server.asked == [] and not cache.exists()


def test_another_file_of_that_name_is_replaced_only_when_told(fetch, server, cache):
    cache.mkdir(parents=True)
    (cache / "vgg16-397923af.pth").write_bytes(b"x" * len(CONTENT))
    code, _, err = fetch()
    assert code == 2 and "RSF-U004" in err and "--overwrite" in err and server.asked == []
    assert fetch("--overwrite")[0] == 0
    assert (cache / "vgg16-397923af.pth").read_bytes() == CONTENT


def test_leftovers_of_a_killed_download_go(fetch, cache):
    cache.mkdir(parents=True)
    (cache / ".tmp-99999999-vgg16-397923af.pth").write_bytes(b"half")
    assert fetch()[0] == 0
    assert [path.name for path in cache.iterdir()] == ["vgg16-397923af.pth"]


def test_other_bytes_end_the_command_with_the_environment_code(fetch, cache):
    code, _, err = fetch(name="other")
    assert code == 6 and "RSF-E011" in err and list(cache.iterdir()) == []


def test_only_the_web_is_a_source(capsys):
    assert rsforge("weights fetch vgg16 --source file:///etc/passwd") == 2
    assert "https://" in capsys.readouterr().err
