"""A published file arrives whole and unchanged, or nothing has its name."""

from __future__ import annotations

import errno

import pytest

from rsforge import durable
from rsforge.errors import RsforgeError
from rsforge.recipes.weights.download import download
from tests.worlds.web_server import CONTENT, PUBLISHED


@pytest.fixture
def get(server, cache):
    cache.mkdir(parents=True)

    def call(name: str, timeout: float = 5.0) -> list[int]:
        arrived: list[int] = []
        download(PUBLISHED, f"{server.url}/{name}", timeout=timeout, on_mib=arrived.append)
        return arrived

    return call


@pytest.mark.parametrize("name", ["whole", "moved"])
def test_the_published_file_gets_its_name(get, cache, name):
    assert get(name) == [1, 1, 1]
    assert [path.name for path in cache.iterdir()] == ["vgg16-397923af.pth"]
    assert (cache / "vgg16-397923af.pth").read_bytes() == CONTENT


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("short", f"{len(CONTENT) - 1} of the published {len(CONTENT)} bytes"),
        ("long", f"more than the published {len(CONTENT)} bytes"),
        ("other", "SHA-256"),
        ("broken-off", f"1000 of the published {len(CONTENT)} bytes"),
        ("absent", "HTTP 404 Not Found"),
        ("to-a-file", "file:///etc/hostname"),
        ("silent", "timed out"),
    ],
)
def test_what_is_not_the_published_file_leaves_nothing(get, cache, name, found):
    with pytest.raises(RsforgeError) as caught:
        get(name, timeout=0.2 if name == "silent" else 5.0)
    assert caught.value.code == "RSF-E011" and found in caught.value.found
    assert "--source" in caught.value.fix and str(cache) in caught.value.fix
    assert list(cache.iterdir()) == []


def test_nobody_listening_is_said(cache):
    cache.mkdir(parents=True)
    with pytest.raises(RsforgeError) as caught:
        download(PUBLISHED, "http://127.0.0.1:9/whole", timeout=2, on_mib=lambda n: None)
    assert caught.value.code == "RSF-E011" and "refused" in caught.value.found


def test_a_full_disk_is_not_taken_for_a_broken_connection(get, cache, monkeypatch):
    def fill(operation: str) -> None:
        if operation == "write":
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(durable, "before_operation", fill)
    with pytest.raises(OSError, match="No space left"):
        get("whole")
    assert list(cache.iterdir()) == []
