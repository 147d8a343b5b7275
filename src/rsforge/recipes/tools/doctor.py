"""``rsforge doctor``: what this machine has, what is missing, and how to get it."""

from __future__ import annotations

import warnings
from typing import Any

from rsforge.recipes.console import Console
from rsforge.recipes.tools.doctor_findings import Finding, report_missing, report_ok, run_probe
from rsforge.recipes.tools.doctor_packages import examine_extras, examine_packages
from rsforge.recipes.tools.doctor_system import examine_system
from rsforge.recipes.tools.doctor_torch import examine_devices, examine_torch
from rsforge.settings.tools import DoctorSettings


def examine(settings: DoctorSettings, console: Console) -> dict[str, Any]:
    """Findings by subject, each with ``state`` (ok, warn, missing), ``found`` and ``fix``; it never fails.

    ``ready`` says whether everything that all commands need is there, ``attention`` lists what is not ok.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        findings = {"system": examine_system(), "torch": examine_torch()}
        findings |= {"packages": examine_packages(), "extras": examine_extras()}
        if findings["torch"]["version"]["state"] != "missing":
            findings |= {"devices": examine_devices(), "weights": {"vgg16": run_probe(_examine_vgg16)}}
    needed = [*findings["torch"].values(), *findings["packages"].values()]
    attention = [
        f"{subject}.{name}"
        for subject, own in findings.items()
        for name, finding in own.items()
        if finding["state"] != "ok"
    ]
    ready = all(finding["state"] != "missing" for finding in needed)
    return {"ready": ready, "attention": attention, **findings}


def _examine_vgg16() -> Finding:
    from rsforge.models.vgg import find_vgg16

    path = find_vgg16()
    if path is not None:
        return report_ok(str(path))
    fix = "give torchvision's vgg16-397923af.pth with --vgg-weights FILE, or train without: --no-perceptual"
    return report_missing(
        "not in the torch hub cache; vae train and cyclegan train compare its features by default", fix
    )
