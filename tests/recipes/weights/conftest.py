"""A server on loopback, and an empty cache of torch's own."""

from __future__ import annotations

import pytest
import torch

from tests.worlds.web_server import serve


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setenv("no_proxy", "*")
    with serve() as running:
        yield running


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """Where weights are looked for; the folder is not there yet."""
    monkeypatch.setattr(torch.hub, "_hub_dir", str(tmp_path / "hub"))
    return tmp_path / "hub" / "checkpoints"
