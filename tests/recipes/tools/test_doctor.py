"""``rsforge doctor`` names what is there and what is not, and never fails itself."""

from __future__ import annotations

import json

import torch

from rsforge.cli.main import run


def test_this_machine_is_ready_and_told_in_plain_data(examine_all):
    result = examine_all()
    assert json.loads(json.dumps(result)) == result
    assert result["ready"] is True
    subjects = {name: own for name, own in result.items() if isinstance(own, dict)}
    assert set(subjects) == {"system", "torch", "packages", "extras", "devices", "weights"}
    findings = {f"{subject}.{name}": f for subject, own in subjects.items() for name, f in own.items()}
    assert all(f.keys() == {"state", "found", "fix"} and f["found"] for f in findings.values())
    assert result["attention"] == [name for name, f in findings.items() if f["state"] != "ok"]
    assert all(bool(f["fix"]) == (f["state"] != "ok") for f in findings.values())
    assert findings["torch.threads"]["found"].startswith(f"{torch.get_num_threads()} for ")


def test_weights_are_found_where_torchvision_leaves_them(monkeypatch, tmp_path, examine_all):
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    assert examine_all()["weights"]["vgg16"]["state"] == "missing"
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / "checkpoints" / "vgg16-own.pth").touch()
    assert examine_all()["weights"]["vgg16"]["found"].endswith("vgg16-own.pth")


def test_the_command_shows_one_line_a_finding_and_leaves_with_zero(installed, capsys):
    installed(pandas=None)
    assert run(["doctor"]) == 0
    out = capsys.readouterr().out.splitlines()
    row = next(i for i, line in enumerate(out) if line.startswith("packages.pandas "))
    assert out[row].split() == ["packages.pandas", "missing", "not", "installed"]
    assert out[row + 1].startswith(" ") and out[row + 1].strip().startswith("fix: pip install")
    assert out[0].split() == ["ready", "no"]
    assert run(["doctor", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["packages"]["pandas"]["state"] == "missing"
