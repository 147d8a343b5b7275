"""Packages and extras that ``rsforge doctor`` asks for."""

from __future__ import annotations

from importlib import metadata

import pytest

from rsforge.recipes.tools.doctor_packages import Requirement


def test_every_requirement_of_the_package_is_examined(examine_all):
    result, lines = examine_all(), metadata.requires("rsforge")
    assert len(result["packages"]) + len(result["extras"]) == len(lines)
    assert result["packages"]["torch"]["found"].startswith(metadata.version("torch"))


def test_a_package_that_is_absent_or_below_its_floor_is_missing(installed, examine_all):
    installed(pandas=None, h5py="3.10.1", typer="1.0")
    result = examine_all()
    pandas, h5py, typer = (result["packages"][name] for name in ("pandas", "h5py", "typer"))
    assert (pandas["state"], pandas["found"]) == ("missing", "not installed")
    assert pandas["fix"].startswith("pip install -c constraints.txt 'pandas>=")
    assert h5py["state"] == "missing" and "3.10.1 is installed" in h5py["found"]
    assert typer["state"] == "missing"
    assert result["ready"] is False and "packages.pandas" in result["attention"]


def test_an_extra_is_offered_and_not_needed(installed, examine_all):
    installed(pyyaml=None)
    result = examine_all()
    assert result["extras"]["yaml.pyyaml"] == {
        "state": "missing",
        "found": "not installed",
        "fix": "pip install -c constraints.txt 'rsforge[yaml]'",
    }
    assert result["ready"] is True


def test_no_metadata_is_told(monkeypatch, examine_all):
    def requires(name):
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "requires", requires)
    result = examine_all()
    assert result["packages"]["rsforge"]["state"] == "missing" and result["extras"] == {} and not result["ready"]


@pytest.mark.parametrize(
    ("bounds", "version", "met"),
    [
        (">=2.10", "2.9.1", False),
        (">=2.10", "2.10", True),
        (">=2.10", "2.10.0+cpu", True),
        (">=2.10.0", "2.10", True),
        ("<1,>=0.26", "0.29.2", True),
        ("<1,>=0.26", "1.0.0", False),
        ("==2.13.0", "2.13.0+cu128", True),
        ("!=8.3.*,>=5.3.0", "8.3.1", True),
        (">=3", "4.0rc1", True),
        ("", "0.1", True),
    ],
)
def test_bounds(bounds, version, met):
    assert Requirement("name", bounds, "").is_met_by(version) is met
