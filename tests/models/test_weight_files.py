"""Files of weights that others wrote: read, or refused by name."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from rsforge.errors import RsforgeError
from rsforge.models.weight_files import misfit, read_weights

SAID = {"name": "the weights of a toy", "fix": "give others"}


class _Trap:
    def __reduce__(self):
        return (pytest.fail, ("a pickled object was executed",))


def _saved(path: Path, state: object) -> Path:
    torch.save(state, path)
    return path


def _refused(path: Path) -> RsforgeError:
    with pytest.raises(RsforgeError) as caught:
        read_weights(path, **SAID)
    assert caught.value.where == str(path) or caught.value.code == "RSF-E008"
    return caught.value


def test_tensors_are_read_by_name(tmp_path: Path) -> None:
    state = {"a.weight": torch.arange(3.0), "b": torch.zeros(())}
    found = read_weights(_saved(tmp_path / "a.pth", state), **SAID)
    assert found.keys() == state.keys() and torch.equal(found["a.weight"], state["a.weight"])


def test_what_is_not_there_or_no_file_is_told(tmp_path: Path) -> None:
    error = _refused(tmp_path / "none.pth")
    assert (error.code, error.what, error.fix) == ("RSF-C001", "the weights of a toy not found", "give others")
    assert _refused(tmp_path).code == "RSF-E008"


def test_what_is_foreign_is_refused_and_never_executed(tmp_path: Path) -> None:
    cut = _saved(tmp_path / "cut.pth", {"a": torch.zeros(9999)})
    cut.write_bytes(cut.read_bytes()[:2000])
    (tmp_path / "empty.pth").touch()
    others = [_saved(tmp_path / f"{k}.pth", state) for k, state in enumerate(([1], {"a": 1}, _Trap(), {"a": _Trap()}))]
    for path in (cut, tmp_path / "empty.pth", *others):
        error = _refused(path)
        assert (error.code, error.fix) == ("RSF-C003", "give others") and error.found


def test_a_misfit_names_the_layer(tmp_path: Path) -> None:
    missing = misfit(tmp_path / "a.pth", KeyError("x.bias"), **SAID)
    assert (missing.code, missing.found) == ("RSF-C007", "no weights named 'x.bias'")
    with pytest.raises(RuntimeError) as caught:
        torch.nn.Linear(2, 3).load_state_dict({"weight": torch.zeros(1), "bias": torch.zeros(3)})
    assert "weight" in misfit(tmp_path / "a.pth", caught.value, **SAID).found
