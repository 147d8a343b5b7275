from __future__ import annotations

import math
import os
import random
import zipfile

import pytest
import torch
from torch import nn

from rsforge import durable
from rsforge.engine import checkpoint
from rsforge.error_registry import ExitCode
from rsforge.errors import RsforgeError
from tests.worlds import warm_python


def state(seed=0):
    torch.manual_seed(seed)
    net = nn.Sequential(nn.Linear(8, 8), nn.BatchNorm1d(8))
    optimizer = torch.optim.AdamW(net.parameters())
    net(torch.randn(4, 8)).sum().backward()
    optimizer.step()
    return {
        "kind": "toy",
        "settings": {"net": {"epochs": 3, "channels": (64, 128), "note": "σ°", "none": None}},
        "nets": {"net": net.state_dict()},
        "parts": {"optimizer": optimizer.state_dict()},
        "progress": {"step": seed, "sums": {"loss": 0.1 + 0.2}},
    }


def refused(path, **options):
    with pytest.raises(RsforgeError) as caught:
        checkpoint.load(path, **options)
    assert caught.value.exit is ExitCode.CHECKPOINT
    return caught.value.code


@pytest.fixture
def saved(tmp_path):
    checkpoint.save(tmp_path / "a.pt", state())
    return tmp_path / "a.pt"


def test_what_was_saved_comes_back(saved):
    loaded, expected = checkpoint.load(saved, kind="toy"), state()
    assert loaded["settings"]["net"]["channels"] == [64, 128] and loaded["progress"] == expected["progress"]
    torch.testing.assert_close(dict(checkpoint.tensors(loaded)), dict(checkpoint.tensors(expected)), rtol=0, atol=0)


def test_what_was_saved_on_another_device_is_read_without_it(tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(torch.serialization, "location_tag", lambda storage: "cuda:7")  # as tensors there are marked
        checkpoint.save(tmp_path / "a.pt", state())
    with pytest.raises(RuntimeError, match="CUDA"):
        torch.load(tmp_path / "a.pt", weights_only=True)
    assert {tensor.device.type for _, tensor in checkpoint.tensors(checkpoint.load(tmp_path / "a.pt"))} == {"cpu"}


def test_the_same_state_is_the_same_bytes(saved, tmp_path):
    checkpoint.save(tmp_path / "b.pt", state())
    assert saved.read_bytes() == (tmp_path / "b.pt").read_bytes()


def test_every_flipped_bit_is_noticed_or_harmless(saved):
    """A flip in padding or in the archive's own directory may change nothing that is read; else it is refused."""
    whole, expected, noticed = saved.read_bytes(), dict(checkpoint.tensors(checkpoint.load(saved))), 0
    chance = random.Random(0)
    for _ in range(150):
        data = bytearray(whole)
        data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
        saved.write_bytes(data)
        try:
            loaded = checkpoint.load(saved)
        except RsforgeError as error:
            assert error.exit is ExitCode.CHECKPOINT
            noticed += 1
        else:
            torch.testing.assert_close(dict(checkpoint.tensors(loaded)), expected, rtol=0, atol=0)
            assert loaded["progress"] == state()["progress"]
    assert noticed > 30


def test_an_edited_number_is_noticed(saved):
    raw = torch.load(saved, weights_only=True)
    raw["progress"]["step"] = 7
    torch.save(raw, saved)
    assert refused(saved) == "RSF-C002"


def test_digests_know_type_shape_values_and_names():
    numbers = torch.arange(6, dtype=torch.int32)
    others = [numbers.view(2, 3), numbers.view(3, 2), numbers.view(torch.float32), numbers.flip(0)]
    assert len({checkpoint.digest_tensor(tensor) for tensor in [numbers, *others]}) == 5
    assert checkpoint.digest_tensor(numbers.view(2, 3).T.contiguous()) == checkpoint.digest_tensor(numbers.view(2, 3).T)
    weights = [{"net": {name: numbers}} for name in ("weight", "bias")]
    assert len({checkpoint.digest_weights(nets) for nets in [*weights, {"other": {"weight": numbers}}]}) == 3


def test_every_truncation_is_refused(saved):
    whole = saved.read_bytes()
    for length in range(0, len(whole), len(whole) // 40):
        saved.write_bytes(whole[:length])
        assert refused(saved) in ("RSF-C002", "RSF-C003")


class Bomb:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


@pytest.mark.parametrize("zipped", [True, False])
def test_a_pickle_is_refused_and_not_run(tmp_path, zipped):
    torch.save({"nets": Bomb(tmp_path / "ran")}, tmp_path / "x.pt", _use_new_zipfile_serialization=zipped)
    assert refused(tmp_path / "x.pt") == "RSF-C003"
    assert not (tmp_path / "ran").exists()


def test_missing_foreign_other_and_newer_are_told_apart(saved, tmp_path):
    assert refused(tmp_path / "none.pt") == "RSF-C001"
    torch.save(nn.Linear(1, 1).state_dict(), tmp_path / "bare.pt")
    assert refused(tmp_path / "bare.pt") == "RSF-C003"
    (tmp_path / "text.pt").write_text("hello")
    assert refused(tmp_path / "text.pt") == "RSF-C003"
    assert refused(saved, kind="vae") == "RSF-C004"
    raw = torch.load(saved, weights_only=True)
    raw.pop("digests")
    newer = {**raw, "format": 99}
    torch.save({**newer, "digests": checkpoint._digests(newer)}, saved)
    assert refused(saved) == "RSF-C005"


def test_the_missing_one_is_called_by_its_role_and_its_neighbours_are_named(saved):
    with pytest.raises(RsforgeError, match=r"VAE checkpoint not found: .*b\.pt") as caught:
        checkpoint.load(saved.with_name("b.pt"), role="VAE checkpoint")
    assert "a.pt" in caught.value.found
    with pytest.raises(RsforgeError) as caught:
        checkpoint.load(saved.parent)
    assert caught.value.code == "RSF-C001" and "a folder that holds a.pt" in caught.value.found


def test_weights_of_another_architecture_are_refused():
    with pytest.raises(RsforgeError) as caught:
        checkpoint.load_weights(nn.Linear(2, 2), {"weight": torch.zeros(3, 2), "scale": torch.ones(1)}, where="x")
    assert caught.value.code == "RSF-C007" and "3 differences" in caught.value.found


def place_of(tree, path):
    *before, last = path.split("/")
    for key in before:
        tree = tree[int(key) if key.isdigit() else key]
    return tree, int(last) if last.isdigit() else last


@pytest.mark.parametrize(
    "path", ["nets/net/0.weight", "parts/optimizer/state/0/exp_avg", "parts/own/latents/std", "latent_mean"]
)
@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_no_tensor_of_a_state_that_is_not_finite_is_ever_committed(saved, path, value):
    before, poisoned = saved.read_bytes(), state()
    poisoned["parts"]["own"] = {"latents": {"std": torch.ones(1)}}
    poisoned["latent_mean"] = torch.ones(1)
    tree, key = place_of(poisoned, path)
    tree[key].view(-1)[0] = value
    with pytest.raises(RsforgeError, match=path) as caught:
        checkpoint.save(saved, poisoned)
    assert caught.value.code == "RSF-T001" and saved.read_bytes() == before


def test_what_a_part_declares_exempt_may_be_infinite(saved):
    lows = {"lows": torch.tensor([math.inf]), "seen": torch.tensor([1.0])}
    whole = {**state(), "parts": {"own": {"range": lows}}, "nonfinite": ["/parts/own/range/lows"]}
    checkpoint.save(saved, whole)
    lows["seen"].fill_(math.nan)
    with pytest.raises(RsforgeError, match="range/seen"):
        checkpoint.save(saved, whole)


@pytest.mark.parametrize("damage", ["empty", "zeros", "head", "two bytes"])
def test_an_empty_or_headless_file_is_damaged_not_foreign(saved, damage):
    whole = saved.read_bytes()
    data = {"empty": b"", "zeros": bytes(len(whole)), "head": bytes(512) + whole[512:], "two bytes": whole[:2]}
    saved.write_bytes(data[damage])
    assert refused(saved) == "RSF-C002"


FAULT = """
import os, sys, signal
from pathlib import Path
import torch
from rsforge import durable, leftovers
from rsforge.engine import checkpoint
def state(step):
    return {"nets": {"net": {"weight": torch.full((3,), step)}}, "progress": {"step": step}}
path, count = Path(sys.argv[1]), 0
def hinder(fail_at, mode):
    def before(operation):
        global count
        count += 1
        if count == fail_at:
            if mode == "kill": os.kill(os.getpid(), signal.SIGKILL)
            raise OSError(int(mode), os.strerror(int(mode)), operation)
    return before
for mode in sys.argv[2:]:
    fail_at = 0
    while True:
        fail_at += 1
        checkpoint.save(path, state(1))
        pid = os.fork()
        if pid == 0:
            durable.before_operation = hinder(fail_at, mode)
            try: checkpoint.save(path, state(2)); os._exit(0)
            except OSError: os._exit(6)
            except BaseException: os._exit(1)
        status = os.waitpid(pid, 0)[1]
        loaded = checkpoint.load(path)
        assert loaded["progress"]["step"] == loaded["nets"]["net"]["weight"][0] in (1, 2)
        left = list(path.parent.glob(".tmp-*"))
        assert mode == "kill" or not left, left
        leftovers.sweep(path.parent)
        if os.WIFEXITED(status) and os.WEXITSTATUS(status) == 0: break
        assert mode == "kill" or os.WEXITSTATUS(status) == 6, status
    assert fail_at > 12
    print(mode, fail_at)
"""


def test_a_save_that_fails_or_is_killed_at_any_operation_leaves_a_whole_checkpoint(tmp_path):
    """ENOSPC and SIGKILL at the k-th durable operation, for every k until none is left."""
    done = warm_python.run(["-c", FAULT, str(tmp_path / "a.pt"), "28", "kill"], timeout=120)
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == 2


def test_a_full_disk_is_told_as_such_and_the_former_file_stays(saved, monkeypatch):
    before = saved.read_bytes()

    def full(operation):
        if operation == "write":
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(durable, "before_operation", full)
    with pytest.raises(OSError, match="No space left") as caught:
        checkpoint.save(saved, state(2))
    assert caught.value.filename == str(saved) and saved.read_bytes() == before
    assert not list(saved.parent.glob(".tmp-*"))


def test_an_archive_of_something_else_is_foreign_not_damaged(tmp_path):
    with zipfile.ZipFile(tmp_path / "notes.pt", "w") as archive:
        archive.writestr("readme.txt", "hello")
    assert refused(tmp_path / "notes.pt") == "RSF-C003"
