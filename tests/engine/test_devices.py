from __future__ import annotations

import os
import signal

import pytest
import torch

from rsforge.engine import devices
from rsforge.engine.signals import StopRequest
from rsforge.errors import RsforgeError


def test_a_device_that_is_there_is_taken_and_one_that_is_not_is_named():
    assert devices.choose("cpu") == torch.device("cpu")
    assert devices.choose("auto").type in ("cpu", "cuda", "mps")
    with pytest.raises(RsforgeError, match="cuda:99") as caught:
        devices.choose("cuda:99")
    assert caught.value.code == "RSF-E005"
    assert "cpu" in devices.describe(torch.device("cpu"))


def test_draws_are_those_of_torchs_own_seed():
    torch.manual_seed(5)
    wanted = torch.rand(3)
    devices.seed_draws(5, torch.device("cpu"))
    assert torch.equal(torch.rand(3), wanted)


def test_an_accelerator_is_seeded_with_the_processor(monkeypatch):
    seeds = []
    monkeypatch.setattr(torch, "manual_seed", seeds.append)
    devices.seed_draws(5, torch.device("cuda"))
    assert seeds == [5]


def test_the_first_signal_is_a_request_and_the_second_acts_at_once():
    with StopRequest() as stop:
        assert not stop
        os.kill(os.getpid(), signal.SIGINT)
        assert stop and stop.signal == signal.SIGINT
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
